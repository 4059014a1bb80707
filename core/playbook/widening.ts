import type { OwnParts, Right } from '../action/action.ts';
import { severities } from '../alert/severity.ts';
import { canonicalJson } from '../text/digest.ts';
import { durationMs } from './duration.ts';
import type { AnyPlaybook } from './playbook.ts';

/** The rights that the actions of playbooks need in the cluster, each once, in a stable order. */
export function rightsOf(playbooks: readonly AnyPlaybook[]): readonly Right[] {
  const all = playbooks.flatMap(({ uses }) => Object.values(uses).flatMap(({ rights }) => rights));
  const byText = new Map(all.map((right) => [canonicalJson(right), right]));
  return [...byText].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, right]) => right);
}

/**
 * What the playbooks of a version may do that the previous ones could not, or where they are less restricted: in words, in a stable order. Based on their
 * envelopes alone; reviewers read what a body does with its rights. Anyone who needs the list computes it again, and trusts nobody else's.
 */
export function wideningOf(before: readonly AnyPlaybook[], after: readonly AnyPlaybook[]): readonly string[] {
  const known = new Map(before.map((playbook) => [playbook.id, playbook]));
  const kept = new Set(after.map(({ id }) => id));
  return [
    ...newRights(before, after),
    ...after.flatMap((playbook) => {
      const old = known.get(playbook.id);
      return old ? widerThan(old, playbook) : [`${playbook.id} is new, and may ${mayDo(playbook)}`];
    }),
    // The alerts that it answered are now answered by others, or only asked about.
    ...before.flatMap(({ id }) => (kept.has(id) ? [] : [`${id} is gone`])),
  ];
}

function mayDo(playbook: AnyPlaybook): string {
  const first = playbook.contains === undefined ? '' : `, and contains the ${playbook.contains} before it is asked`;
  const says = playbook.rules === undefined ? '' : `; it ${ruled(playbook)}`;
  return `${actionsOf(playbook).join(', ') || 'do nothing'}${first}${says}`;
}

function actionsOf({ uses }: AnyPlaybook): readonly string[] {
  return Object.values(uses)
    .map(({ name, effect, reach, own }) => `${name} (${[effect, reach, ...(own ? given(own) : [])].join(', ')})`)
    .sort();
}

/** What an action of the pack's own receives besides its input, and what is declared harmless about it. */
function given({ secrets, settings, egress, weakens }: OwnParts): readonly string[] {
  return [
    'by the pack itself',
    ...(weakens ? ['weakens'] : []),
    ...[...secrets].sort().map((name) => `gets the secret ${name}`),
    ...[...settings].sort().map((name) => `gets the setting ${name}`),
    ...[...egress].sort().map((server) => `sends requests to ${server}`),
  ];
}

function newRights(before: readonly AnyPlaybook[], after: readonly AnyPlaybook[]): readonly string[] {
  const verbsOf = (playbooks: readonly AnyPlaybook[]) =>
    new Set(
      rightsOf(playbooks).flatMap(({ apiGroup, resource, verbs }) => verbs.map((verb) => `${verb} ${named(resource, apiGroup)}`)),
    );
  const had = verbsOf(before);
  const more = [...verbsOf(after)].filter((right) => !had.has(right)).sort();
  return before.length === 0 || more.length === 0 ? [] : [`the pack needs more rights: ${more.join(', ')}`];
}

function named(resource: string, apiGroup: string): string {
  return apiGroup === '' ? resource : `${resource}.${apiGroup}`;
}

function widerThan(old: AnyPlaybook, now: AnyPlaybook): readonly string[] {
  // One of the pack's own actions may reach further under its old name.
  const has = new Set(actionsOf(old));
  const said: string[] = actionsOf(now).flatMap((action) => (has.has(action) ? [] : [`may do ${action}`]));
  if (now.contains !== undefined && old.contains === undefined) said.push(`contains the ${now.contains} before its body begins`);
  if (now.sagaUndo !== undefined && old.sagaUndo === undefined) said.push('undoes its steps without asking when a part fails');
  if (lessEvidence(old, now)) said.push(`waits less for evidence before it contains (${now.evidenceFirst ?? 'not at all'})`);
  if (severities.indexOf(now.on.minSeverity) > severities.indexOf(old.on.minSeverity))
    said.push(`answers alerts from ${now.on.minSeverity} up, not only from ${old.on.minSeverity} up`);
  if (canonicalJson(now.on.match) !== canonicalJson(old.on.match)) said.push('answers other alerts');
  if (canonicalJson(now.on.schedule ?? null) !== canonicalJson(old.on.schedule ?? null)) said.push('runs at other times');
  if (canonicalJson(now.rules ?? {}) !== canonicalJson(old.rules ?? {})) said.push(ruled(now));
  if ((now.per ?? 'pod') !== (old.per ?? 'pod')) said.push(`runs once per ${now.per ?? 'pod'}, not per ${old.per ?? 'pod'}`);
  if (now.exclusive && (!old.exclusive || (now.priority ?? 0) > (old.priority ?? 0)))
    said.push('keeps playbooks of lower priority from answering the same alerts');
  if (old.on.requires.some((need) => !now.on.requires.includes(need)))
    said.push(`requires less of an alert (${now.on.requires.join(', ') || 'nothing'})`);
  if (canonicalJson(now.params ?? {}) !== canonicalJson(old.params ?? {}))
    said.push('has different parameters, or different defaults for them');
  if (canonicalJson(now.levels ?? null) !== canonicalJson(old.levels ?? null)) said.push(`asks ${asked(now)}, not ${asked(old)}`);
  return said.map((what) => `${now.id} ${what}`);
}

function ruled({ rules = {} }: AnyPlaybook): string {
  const each = Object.entries(rules).map(([rule, { confidence }]) => `${rule} (${confidence})`);
  return `says how sure rules are: ${each.sort().join(', ') || 'of none any more'}`;
}

function lessEvidence({ evidenceFirst: old }: AnyPlaybook, { evidenceFirst: now }: AnyPlaybook): boolean {
  if (old === undefined) return false;
  return now === undefined || durationMs(now) < durationMs(old);
}

function asked({ levels }: AnyPlaybook): string {
  return levels?.map(({ group, within }) => `${group} (${within})`).join(', then ') ?? 'those who decide on incidents';
}
