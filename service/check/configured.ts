import type { AnyPlaybook } from '../../core/playbook/playbook.ts';
import type { Config } from '../config/load.ts';
import { playbooksOf } from '../config/packs.ts';
import { playbookProblems, quorumProblems } from '../config/playbook-problems.ts';
import type { DescribedPack } from '../packs/describe.ts';
import type { CheckFinding } from './finding.ts';
import type { PackPlaces } from './places.ts';

/** Returns a configuration with this pack enabled, in place of the one it has under this name. */
export function withPack(
  config: Config,
  pack: DescribedPack,
): { readonly without: Config; readonly playbooks: readonly AnyPlaybook[] } {
  const without = { ...config, packs: config.packs.filter(({ name }) => name !== pack.name) };
  return { without, playbooks: [...playbooksOf(without), ...pack.playbooks] };
}

/** What the configuration lacks for this pack: groups, parameters, enabled actions, tools, people who could answer. */
export function configurationFindings(pack: DescribedPack, places: PackPlaces, config: Config): readonly CheckFinding[] {
  const { without, playbooks } = withPack(config, pack);
  const { enabled } = config.playbooks;
  const ids = pack.playbooks.map(({ id }) => id);
  const own = enabled === 'all' ? enabled : [...new Set([...enabled, ...ids])];
  const isOfOthers = (id: string): boolean => !ids.includes(id);
  const params = Object.fromEntries(Object.entries(config.playbooks.params).filter(([id]) => isOfOthers(id)));
  const others = enabled === 'all' ? enabled : enabled.filter(isOfOthers);
  const before = [
    ...playbookProblems({ ...config, playbooks: { ...config.playbooks, enabled: others, params } }, playbooksOf(without)),
    ...quorumProblems({ ...config, playbooks: { ...config.playbooks, enabled: others, params } }, playbooksOf(without)),
  ];
  const known = new Set(before.map(({ problem }) => problem));
  const after = { ...config, playbooks: { ...config.playbooks, enabled: own } };
  return [
    ...playbookProblems(after, playbooks).map((one) => ({ severity: 'error' as const, ...one })),
    ...quorumProblems(after, playbooks).map((one) => ({ severity: 'warning' as const, ...one })),
  ]
    .filter(({ problem }) => !known.has(problem))
    .map(({ severity, problem, remedy }) => {
      // If one id is a prefix of another, the longer one is meant.
      const playbook = ids.toSorted((a, b) => b.length - a.length).find((id) => problem.includes(id));
      const group = /the group (\S+?),? /.exec(problem)?.[1];
      return {
        severity,
        check: problem.includes('group') ? 'groups' : 'configuration',
        ...(playbook !== undefined && { playbook, ...places.of(playbook, group) }),
        problem,
        remedy,
      };
    });
}

/** Leases ask them unless the configuration says otherwise, so a roster without them is refused. */
const usualGroups = ['oncall', 'leads'];

/** Without a configuration: which groups must exist. */
export function groupFindings({ playbooks }: DescribedPack, places: PackPlaces): readonly CheckFinding[] {
  return playbooks.flatMap(({ id, levels = [], params = {} }) => {
    const ofParams = Object.values(params).flatMap((of) => (of.kind === 'group' ? [String(of.default)] : []));
    const groups = [...new Set([...levels.map(({ group }) => group), ...ofParams])].filter(
      (group) => !usualGroups.includes(group),
    );
    if (groups.length === 0) return [];
    return [
      {
        severity: 'notice',
        check: 'groups',
        playbook: id,
        ...places.of(id, groups[0]),
        problem: `it asks ${groups.join(', ')}`,
        remedy: 'They must be in the roster: --config FILE checks that.',
      },
    ];
  });
}
