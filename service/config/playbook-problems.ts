import type { ActionDeclaration } from '../../core/action/action.ts';
import { actions as allActions } from '../../core/actions/index.ts';
import type { ResponseRules } from '../../core/assessment/policy.ts';
import type { Person, Roster } from '../../core/people/roster.ts';
import { enabledAmong } from '../../core/playbook/pack.ts';
import { problemOfParam } from '../../core/playbook/params.ts';
import type { AnyPlaybook } from '../../core/playbook/playbook.ts';
import { playbooks as shipped } from '../../playbooks/index.ts';
import { nearestBare, nearestName } from './nearest.ts';
import type { ConfigProblem } from './problems.ts';
import type { FileConfig } from './schema.ts';
import { isUnavailable } from './unavailable.ts';

export type PlacedProblem = Omit<ConfigProblem, 'line' | 'path'> & { readonly at: readonly PropertyKey[] };

type Checked = Pick<FileConfig, 'playbooks' | 'actions' | 'forensics' | 'incidents' | 'paging' | 'guardrails'> & {
  readonly response: Pick<ResponseRules, 'scopes'>;
  readonly roster: Pick<Roster, 'groups'>;
  readonly evidence: { readonly stewards: readonly string[] };
};

/** Playbooks that differ from what the configuration expects, and problems with whom they ask and with what they cannot do as configured. */
export function playbookProblems(
  file: Checked,
  playbooks: readonly AnyPlaybook[] = shipped,
  /** Packs of which no version runs yet: their playbooks are unknown. */
  unpromoted: readonly string[] = [],
): readonly PlacedProblem[] {
  const mayCome = (id: string): boolean => unpromoted.some((pack) => id.startsWith(`${pack}/`));
  return [
    ...idProblems(file, playbooks, mayCome),
    ...paramProblems(file, playbooks, mayCome),
    ...groupProblems(file, playbooks),
    ...meansProblems(file, playbooks),
  ];
}

function idProblems(
  { playbooks: { enabled }, guardrails, response }: Checked,
  playbooks: readonly AnyPlaybook[],
  mayCome: (id: string) => boolean,
): readonly PlacedProblem[] {
  const ids = playbooks.map(({ id }) => id);
  const shared = playbooks.filter(({ id }, index) => ids.indexOf(id) < index);
  const named = [
    ...(enabled === 'all' ? [] : enabled.map((id, index) => ({ id, at: ['playbooks', 'enabled', index] }))),
    ...guardrails.changeWindows.flatMap(({ playbooks: of = [] }, window) =>
      of.map((id, index) => ({ id, at: ['guardrails', 'changeWindows', window, 'playbooks', index] })),
    ),
    ...response.scopes.flatMap(({ playbooks: of = [] }, scope) =>
      of.map((id, index) => ({ id, at: ['response', 'scopes', scope, 'playbooks', index] })),
    ),
  ];
  const seen = new Set<string>();
  return [
    // Looking up the id would find only one of them, and run it for both.
    ...shared.map(({ id, title }) => ({
      at: ['playbooks'],
      problem: `two playbooks have the id ${id}: “${playbooks.find((one) => one.id === id)?.title}” and “${title}”`,
      remedy: 'Give one of them another id in its envelope, and build again.',
    })),
    ...named.flatMap(({ id, at }): readonly PlacedProblem[] => {
      if (!ids.includes(id) && mayCome(id)) return [];
      if (!ids.includes(id)) return [{ at, problem: `there is no playbook ${id}`, remedy: meant(id, ids) }];
      const place = [...at.slice(0, -1), id].join('/');
      if (seen.has(place)) return [{ at, problem: `the playbook ${id} is named twice`, remedy: 'Remove one of the two.' }];
      seen.add(place);
      return [];
    }),
  ];
}

function meant(written: string, known: readonly string[]): string {
  const near = nearestName(written, known) ?? nearestBare(written, known);
  return near === undefined ? `Name one of: ${known.join(', ')}.` : `Did you mean ${near}?`;
}

/** Values set for playbooks that do not fit. For an enabled playbook, also a default that names an unknown group. */
function paramProblems(
  file: Checked,
  playbooks: readonly AnyPlaybook[],
  mayCome: (id: string) => boolean,
): readonly PlacedProblem[] {
  const groups = Object.keys(file.roster.groups);
  const set = Object.entries(file.playbooks.params).flatMap(([id, values]): readonly PlacedProblem[] => {
    const at = ['playbooks', 'params', id];
    const playbook = playbooks.find((one) => one.id === id);
    if (!playbook && mayCome(id)) return [];
    if (!playbook)
      return [
        {
          at,
          problem: `there is no playbook ${id}`,
          remedy: meant(
            id,
            playbooks.map((one) => one.id),
          ),
        },
      ];
    const params = playbook.params ?? {};
    return Object.entries(values).flatMap(([name, value]): readonly PlacedProblem[] => {
      const of = Object.hasOwn(params, name) ? params[name] : undefined;
      const known = Object.keys(params);
      if (!of) {
        const remedy = known.length === 0 ? `${id} has no parameters: remove it.` : meant(name, known);
        return [{ at: [...at, name], problem: `${id} has no parameter ${name}`, remedy }];
      }
      const problem = problemOfParam(of, value);
      if (problem !== undefined)
        return [
          { at: [...at, name], problem: `${JSON.stringify(value)} is not a valid ${of.kind} value`, remedy: `${problem}.` },
        ];
      if (of.kind !== 'group' || groups.includes(String(value))) return [];
      return [{ at: [...at, name], problem: `the roster has no group ${value}`, remedy: meant(String(value), groups) }];
    });
  });
  const left = enabledAmong(playbooks, file.playbooks.enabled).flatMap(({ id, params = {} }) =>
    Object.entries(params).flatMap(([name, of]): readonly PlacedProblem[] => {
      if (of.kind !== 'group' || file.playbooks.params[id]?.[name] !== undefined || groups.includes(String(of.default)))
        return [];
      return [
        {
          at: ['playbooks', 'params'],
          problem: `${id} asks the group ${of.default} (its parameter ${name}), which the roster does not have`,
          remedy: `Set playbooks.params, ${id}, ${name} to one of: ${groups.join(', ')}.`,
          playbook: id,
        },
      ];
    }),
  );
  return [...set, ...left];
}

interface Asking {
  readonly group: string;
  readonly at: PlacedProblem['at'];
  readonly who: string;
  /** Id of the playbook that asks, if one does. */
  readonly playbook?: string;
}

/** Roster groups that something asks, calls or trusts, but that do not exist: nobody would ever answer. */
function groupProblems(file: Checked, playbooks: readonly AnyPlaybook[]): readonly PlacedProblem[] {
  const { roster, incidents, evidence, paging } = file;
  const groups = Object.keys(roster.groups);
  const asked: readonly Asking[] = enabledAmong(playbooks, file.playbooks.enabled).flatMap(({ id, levels = [] }) =>
    levels.map(({ group }) => ({ group, at: ['roster', 'groups'], who: `the playbook ${id} asks`, playbook: id })),
  );
  const named: readonly Asking[] = [
    ...incidents.levels.map(({ group }, index) => ({ group, at: ['incidents', 'levels', index, 'group'], who: 'leases ask' })),
    ...(incidents.deadlines.group === undefined
      ? []
      : [{ group: incidents.deadlines.group, at: ['incidents', 'deadlines', 'group'], who: 'deadlines call' }]),
    ...evidence.stewards.map((group, index) => ({ group, at: ['evidence', 'stewards', index], who: 'evidence is destroyed by' })),
    ...Object.keys(paging.pagerduty?.groups ?? {}).map((group) => ({
      group,
      at: ['paging', 'pagerduty', 'groups', group],
      who: 'the pager calls',
    })),
  ];
  return [
    ...[...asked, ...named]
      .filter(({ group }) => !groups.includes(group))
      .map(({ group, at, who, playbook }) => ({
        at,
        problem: `${who} the group ${group}, which the roster does not have`,
        remedy:
          playbook !== undefined
            ? `Add it to roster.groups (it has: ${groups.join(', ')}), or leave the playbook out of playbooks.enabled.`
            : meant(group, groups),
        ...(playbook !== undefined && { playbook }),
      })),
  ];
}

interface Missing {
  readonly action: ActionDeclaration;
  readonly at: PlacedProblem['at'];
  readonly who: string;
  readonly playbook?: string;
}

/** Actions that would always be refused: they are off, or what they need is not configured. */
function meansProblems(file: Checked, playbooks: readonly AnyPlaybook[]): readonly PlacedProblem[] {
  const { actions, forensics } = file;
  const optIn: readonly string[] = actions.optIn;
  const isOn = ({ name }: ActionDeclaration): boolean => optIn.includes(name);
  const used: readonly (Missing & { readonly playbook: string })[] = enabledAmong(playbooks, file.playbooks.enabled).flatMap(
    ({ id, uses }) =>
      Object.values(uses)
        .filter((action) => !isUnavailable(action, file))
        .map((action) => ({
          action,
          at: ['playbooks', 'enabled'],
          who: `the playbook ${id} uses ${action.name}`,
          playbook: id,
        })),
  );
  const turnedOn = allActions.flatMap((action): readonly Missing[] => {
    const index = optIn.indexOf(action.name);
    return index === -1 ? [] : [{ action, at: ['actions', 'optIn', index], who: `${action.name} is turned on` }];
  });
  return [
    ...used
      .filter(({ action }) => action.optIn === true && !isOn(action))
      .map(({ action: { name }, who, playbook }) => ({
        at: ['actions', 'optIn'],
        problem: `${who}, which is off`,
        remedy: `Add ${name} to actions.optIn, with the rights of deploy/rbac/opt-in/${name}.yaml, or leave the playbook out of playbooks.enabled.`,
        playbook,
      })),
    ...[...turnedOn, ...used.filter(({ action }) => !isOn(action))]
      // Everything in this pool is done with our own tools, next to a container or on a node.
      .filter(({ action: { pool } }) => pool === 'forensics' && forensics.toolsImage === undefined)
      .map(({ at, who, playbook }) => ({
        at,
        problem: `${who}, but no tools for it are configured`,
        remedy: 'Name their image, by digest, in forensics.toolsImage: see deploy/forensics.',
        ...(playbook !== undefined && { playbook }),
      })),
  ];
}

/** To call a critical alert harmless, to release what it contained, or to change something wider: see `quorumOf`. */
const peopleOnCritical = 2;

/**
 * Questions with answers that can never be given, because too few people in their groups could give them. Containment continues without answers, so this blocks
 * nothing that contains: it is an error when the configuration is checked, and a log line at startup.
 */
export function quorumProblems(
  config: Pick<FileConfig, 'playbooks' | 'incidents'> & { readonly roster: Roster; readonly slack?: unknown },
  playbooks: readonly AnyPlaybook[] = shipped,
): readonly PlacedProblem[] {
  const { roster, incidents, slack } = config;
  const ladders = [
    { who: 'about leases', groups: incidents.levels.map(({ group }) => group) },
    ...enabledAmong(playbooks, config.playbooks.enabled).flatMap(({ id, levels }) =>
      levels ? [{ who: `by ${id}`, groups: levels.map(({ group }) => group) }] : [],
    ),
  ];
  const byGroups = Map.groupBy(ladders, ({ groups }) => [...new Set(groups)].toSorted().join(' and '));
  return [...byGroups].flatMap(([names, alike]) => {
    const members = new Set(
      alike[0]?.groups.flatMap((group) => (Object.hasOwn(roster.groups, group) ? (roster.groups[group] ?? []) : [])),
    );
    // Without Slack, people can only answer at the command line, which requires a key of their own.
    const hasWay = ({ slackIds, keys, subject }: Person): boolean =>
      keys.length > 0 || (slack !== undefined && (slackIds.length > 0 || subject !== undefined));
    const able = roster.people.filter((person) => members.has(person.id) && hasWay(person));
    if (able.length >= peopleOnCritical) return [];
    const who = able.length === 0 ? 'nobody' : `only ${able.map(({ id }) => id).join(', ')}`;
    return [
      {
        at: ['roster', 'groups'],
        problem: `${who} can answer in ${names}, but it takes ${peopleOnCritical} people to call a critical alert harmless or to release what it contained: asked ${asking(alike.map((one) => one.who))}`,
        remedy: slack
          ? 'Add people to one of these groups, each with a key of their own or a Slack id.'
          : 'Give people of these groups keys of their own, or configure Slack: without it a Slack id answers nothing.',
      },
    ];
  });
}

const mostNamed = 3;

function asking(who: readonly string[]): string {
  const more = who.length - mostNamed;
  return who.slice(0, mostNamed).join(', ') + (more > 0 ? ` and by ${more} more` : '');
}
