import type { Outcomes } from '../action/action.ts';
import type { TargetName } from '../action/plan.ts';
import type { HoldTerms } from '../incident/hold.ts';
import { subjectOfIncident, subjectTitle } from '../incident/incident.ts';
import { sha256Hex } from '../text/digest.ts';
import { isObject } from '../text/plain-json.ts';
import { redactSecrets } from '../text/redact.ts';
import { oneLine } from '../text/visible-text.ts';

/** The object that an Event is about. */
export interface Regarding {
  readonly kind: string;
  /** `v1`, `apps/v1` */
  readonly apiVersion: string;
  /** Absent if the object is in no namespace. */
  readonly namespace?: string;
  readonly name: string;
  /** Without it `kubectl describe` does not find the Event. */
  readonly uid?: string;
}

/** An Event that the owner of an object should find on it. */
export interface ObjectEvent {
  /** The same for the same outcome of the same step on the same object, so that it is written once. */
  readonly name: string;
  readonly regarding: Regarding;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly action: string;
  /** At most 1 024 bytes, the limit of the API. */
  readonly note: string;
}

/** The outcome of a step, as the cell itself knows it. */
export interface StepOutcome {
  readonly action: { readonly name: string; readonly title: string; readonly outcomes?: Outcomes };
  readonly outcome: 'done' | 'undone' | 'extended' | 'permanent';
  readonly incident: string;
  /** Identifies what must not be written twice: the key of the step, or the digest of an answer. */
  readonly key: string;
  readonly objects: readonly { readonly name: TargetName; readonly uid?: string }[];
  /** Output of the action: its `pods` are touched too. */
  readonly output?: unknown;
  /** For a step that was done. */
  readonly playbook?: string;
  readonly terms?: Omit<HoldTerms, 'at'>;
  /** For a step that was done: the name of its release, under which people's decision about it is remembered. */
  readonly release?: string;
  /** For a release: whether people ordered it. */
  readonly byPeople?: boolean;
}

/** Whom an application's owner may ask. */
export interface EventWords {
  /** The groups of people who decide, in the order in which they are asked. */
  readonly groups: readonly string[];
  /** How to reach them, as worded in the configuration. */
  readonly contact?: string | undefined;
  readonly titleOf: (playbook: string) => string | undefined;
}

const mostObjects = 20;
const mostBytes = 1_024;
/** The latest time that a Date can represent. */
const latest = 8.64e15;

/** Kinds that people look at. Events of objects in no namespace are in `default`. */
const kinds: ReadonlyMap<string, Pick<Regarding, 'kind' | 'apiVersion'>> = new Map(
  [
    ['v1', 'Pod', 'Node', 'Namespace', 'ServiceAccount', 'Secret'],
    ['apps/v1', 'Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet'],
    ['batch/v1', 'Job', 'CronJob'],
    ['networking.k8s.io/v1', 'NetworkPolicy'],
  ].flatMap(([apiVersion = '', ...named]) => named.map((kind) => [kind.toLowerCase(), { kind, apiVersion }])),
);

/** Returns the Events about a step's outcome, one on each object that it touched. None if the action has no word for it. */
export function eventsOf(step: StepOutcome, words: EventWords, now: number): readonly ObjectEvent[] {
  const { outcome, action, key } = step;
  const reason = reasonFor(step);
  if (reason === undefined) return [];
  return touched(step).map((regarding) => ({
    name: `${regarding.name.slice(0, 200)}.firebreak-${sha256Hex([key, outcome, regarding.kind, regarding.name].join('\n')).slice(0, 16)}`,
    regarding,
    type: outcome === 'undone' ? 'Normal' : 'Warning',
    reason,
    action: action.name,
    note: cutBytes(noteOn(regarding, step, words, now)),
  }));
}

function reasonFor({ action: { outcomes }, outcome }: StepOutcome): string | undefined {
  if (outcomes === undefined) return undefined;
  if (outcome === 'extended') return 'ContainmentExtended';
  return outcome === 'permanent' ? 'ContainmentPermanent' : outcomes[outcome];
}

function touched({ objects, output }: StepOutcome): readonly Regarding[] {
  const found = new Map<string, Regarding>();
  const add = (name: TargetName, uid: string | undefined): void => {
    const regarding = regardingOf(name, uid);
    if (regarding && !found.has(name) && found.size < mostObjects) found.set(name, regarding);
  };
  for (const { namespace, name, uid } of podsIn(output)) add(`pod/${namespace}/${name}`, uid);
  for (const { name, uid } of objects) add(name, uid);
  return [...found.values()];
}

function regardingOf(target: TargetName, uid: string | undefined): Regarding | undefined {
  const [kind = '', ...rest] = target.split('/');
  const known = kinds.get(kind.toLowerCase());
  const name = rest.at(-1);
  if (!known || !name || rest.length > 2) return undefined;
  return { ...known, name, ...(rest.length === 2 && { namespace: rest[0] ?? '' }), ...(uid !== undefined && { uid }) };
}

function* podsIn(output: unknown): Generator<{ readonly namespace: string; readonly name: string; readonly uid: string }> {
  const pods = isObject(output) && Array.isArray(output.pods) ? output.pods : [];
  for (const pod of pods) {
    if (!isObject(pod)) continue;
    const { namespace, name, uid } = pod;
    if (typeof namespace === 'string' && typeof name === 'string' && typeof uid === 'string') yield { namespace, name, uid };
  }
}

/**
 * Readable by everybody with access to the namespace, including an attacker who has taken over one of its pods: so it says nothing from an alert, and nothing
 * about other namespaces.
 */
function noteOn(regarding: Regarding, step: StepOutcome, { groups, contact, titleOf }: EventWords, now: number): string {
  const { action, outcome, playbook, terms, byPeople } = step;
  const title = playbook === undefined ? undefined : titleOf(playbook);
  const ends = terms && new Date(Math.min(now + terms.lease.durationMs, latest)).toISOString().replace(/:\d\d\.\d+Z$/, 'Z');
  const what = {
    done: `Firebreak did this: ${action.title}.`,
    undone: `Firebreak has undone this: ${action.title}.`,
    extended: `People have extended this: ${action.title}.`,
    permanent: `People have made this permanent: ${action.title}.`,
  }[outcome];
  const why = title === undefined ? [] : [`Why: ${title}${terms ? `; severity ${terms.severity}` : ''}.`];
  const until =
    outcome !== 'done' || ends === undefined || action.outcomes?.undone === undefined
      ? []
      : [`It holds until ${ends}${terms?.lease.onExpiry === 'release' ? '' : ', and longer if nobody decides otherwise'}.`];
  const by = outcome !== 'undone' ? [] : [byPeople ? 'People decided this.' : 'It expired, or its step failed.'];
  const ask = groups.length === 0 ? 'your security team' : groups.slice(0, 3).join(', ');
  const whom = `Ask: ${ask}${contact === undefined ? '' : ` (${contact})`}.`;
  const text = [what, ...why, `Incident: ${incidentFor(regarding, step.incident)}.`, ...until, ...by, whom].join(' ');
  return oneLine(redactSecrets(text), mostBytes);
}

/** Returns its title, if it is about the same namespace, or about something that everybody sees. */
function incidentFor({ namespace }: Regarding, incident: string): string {
  const subject = subjectOfIncident(incident);
  if (!subject) return 'unknown';
  if (subject.kind === 'workload' && namespace !== undefined && subject.namespace !== namespace) return 'in another namespace';
  return subjectTitle(subject);
}

function cutBytes(text: string): string {
  let cut = text;
  while (new TextEncoder().encode(cut).length > mostBytes) cut = `${cut.slice(0, -10).replace(/[\ud800-\udbff]$/, '')}…`;
  return cut;
}
