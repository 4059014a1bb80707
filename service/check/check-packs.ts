import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { RuleSet } from '../../core/rules/known-rules.ts';
import type { Config } from '../config/load.ts';
import { enabledPlaybooks } from '../config/packs.ts';
import { coverageOf } from '../coverage/coverage.ts';
import type { DescribedPack } from '../packs/describe.ts';
import { type PackSource, readPackAt } from '../packs/pack-files.ts';
import { openClusterApi } from '../process/cluster-api.ts';
import { missingRights } from '../rbac/missing.ts';
import { readAlerts } from '../simulation/read-alerts.ts';
import { type CheckDepth, type CheckedPack, checkPack } from './check-pack.ts';
import type { CheckFinding } from './finding.ts';
import { actionsOfPack } from './rights.ts';

export interface PacksToCheck {
  readonly sources: readonly PackSource[];
  /** The configuration they will run with. */
  readonly config?: Config;
  /** The existing rules; absent: those of the public rule sets, and unanswered rules are not listed. */
  readonly rules?: RuleSet;
  /** Absent: everything. */
  readonly depth?: CheckDepth;
  /** Set to also ask the API server that the configuration names. */
  readonly live?: { readonly config: Config };
}

interface CheckedPacks {
  readonly packs: readonly DescribedPack[];
  /** Most severe first. */
  readonly findings: readonly CheckFinding[];
}

/**
 * Checks packs before they are live.
 * @throws FB_ERR_NOT_FOUND for a source that is not a pack, FB_ERR_UNAVAILABLE if the API server is asked and does not answer.
 */
export async function checkPacks({ sources, config, rules, depth = 'all', live }: PacksToCheck): Promise<CheckedPacks> {
  const checked: CheckedPack[] = [];
  for (const source of sources) checked.push(await checkSource(source, { config, rules, depth }));
  const packs = checked.flatMap(({ pack }) => pack ?? []);
  const findings = [
    ...checked.flatMap((one) => one.findings),
    ...(rules && packs.length === sources.length ? uncovered(packs, config, rules) : []),
    ...(live ? await missing(packs, live.config) : []),
  ];
  return { packs, findings: sorted(findings) };
}

async function checkSource(
  source: PackSource,
  {
    config,
    rules,
    depth,
  }: Pick<PacksToCheck, 'depth'> & {
    readonly config: Config | undefined;
    readonly rules: RuleSet | undefined;
  },
): Promise<CheckedPack> {
  const folder = 'folder' in source ? source.folder : undefined;
  const samples = folder === undefined ? '' : join(folder, 'alerts');
  const read = existsSync(samples) ? readAlerts([samples], config?.cluster ?? 'local') : [];
  const { pack, findings } = await checkPack(
    {
      files: readPackAt(source),
      ...(folder !== undefined && { folder }),
      named: namedAs(source),
      alerts: read.flatMap((one) => (one.ok ? [one.alert] : [])),
    },
    { ...(config && { config }), ...(rules && { rules: rules.rules }), ...(depth && { depth }) },
  );
  const unread = read.flatMap((one) =>
    one.ok || one.from === samples ? [] : unreadFinding(relative(folder ?? '', one.from), one.reason),
  );
  return { ...(pack && { pack }), findings: [...findings, ...unread] };
}

/** @param from the file in the pack, and the place in it */
function unreadFinding(from: string, reason: string): CheckFinding {
  const [file = '', place] = from.split(', ');
  return {
    severity: 'warning',
    check: 'answers',
    file,
    problem: `no playbook is tried on it: ${place === undefined ? '' : `${place}: `}${reason}`,
    remedy: 'Store it there as its sensor sends it, or remove it.',
  };
}

function namedAs(source: PackSource): string {
  const path = 'folder' in source ? source.folder : 'tarball' in source ? source.tarball : undefined;
  return path === undefined ? '--config FILE' : `--pack ${relative(process.cwd(), path) || '.'}`;
}

const places = { pod: ' in a pod', node: ' on a node', cluster: ' in the cluster' };

/** Rules that only general playbooks answer, those for every alert; for some rules only in a pod, or only outside all pods. */
function uncovered(packs: readonly DescribedPack[], config: Config | undefined, rules: RuleSet): readonly CheckFinding[] {
  const names = packs.map(({ name }) => name);
  const others = enabledPlaybooks({
    packs: (config?.packs ?? []).filter(({ name }) => !names.includes(name)),
    playbooks: { enabled: config?.playbooks.enabled ?? 'all' },
  });
  const playbooks = [...others, ...packs.flatMap((pack) => pack.playbooks)];
  return coverageOf(playbooks, [rules])
    .flatMap((set) => set.rules)
    .filter(({ covered }) => covered !== 'yes')
    .map(({ rule, severity, covered, answers }) => {
      const without = answers.filter(({ playbooks: named }) => named.length === 0);
      const where = covered === 'partly' ? without.map(({ place }) => places[place]).join(' and') : '';
      const rest = [...new Set(without.flatMap((answer) => answer.rest))];
      return {
        severity: 'notice',
        check: 'coverage',
        file: rule.part,
        problem: `no playbook is for “${rule.name}” (${severity})${where}${
          rest.length > 0 ? `: only ${rest.join(', ')}, which take what is left` : ''
        }`,
        remedy: 'Write a playbook for it, or leave it as it is.',
      };
    });
}

async function missing(packs: readonly DescribedPack[], config: Config): Promise<readonly CheckFinding[]> {
  const api = await openClusterApi({ config, env: process.env });
  try {
    const found = await missingRights({
      api,
      pool: 'cell',
      actions: packs.flatMap((pack) => actionsOfPack(pack, config)),
      namespace: config.kubernetes.ownNamespace,
      watched: config.watch.namespaces,
      events: config.kubernetes.events,
      resources: config.kubernetes.resources.enabled,
      reports: config.kubernetes.reports,
    });
    return found.map(({ right, neededBy }) => ({
      severity: 'error',
      check: 'rights',
      problem: `the account of the cell may not ${right}, which ${neededBy.join(', ')} needs`,
      remedy: 'firebreak rbac manifests --config FILE, with the pack in it, prints what grants it.',
    }));
  } finally {
    api.close();
  }
}

const order: readonly CheckFinding['severity'][] = ['error', 'warning', 'notice'];

/** Sorts the most severe first, then by place. */
function sorted(findings: readonly CheckFinding[]): readonly CheckFinding[] {
  const placeOf = ({ severity, file = '', line = 0 }: CheckFinding): string =>
    `${order.indexOf(severity)} ${file}:${String(line).padStart(6, '0')}`;
  return findings
    .map((finding) => ({ finding, place: placeOf(finding) }))
    .toSorted((a, b) => (a.place < b.place ? -1 : a.place > b.place ? 1 : 0))
    .map(({ finding }) => finding);
}
