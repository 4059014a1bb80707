import type { TargetName } from '../action/plan.ts';
import { actions } from '../actions/index.ts';
import { isOfLease } from '../decide/standing-question.ts';
import type { HoldTerms } from '../incident/hold.ts';
import { type Subject, subjectOfIncident, subjectTitle } from '../incident/incident.ts';
import type { IncidentState } from '../incident/incident-state.ts';
import { sha256Hex } from '../text/digest.ts';
import { redactSecrets } from '../text/redact.ts';
import { oneLine } from '../text/visible-text.ts';
import type { ContainmentResourceStatus, IncidentResourceStatus, ResourceCondition } from './cluster-resources.schema.ts';
import { incidentHash, names } from './labels.ts';

/** API group of the resources that show what Firebreak does. */
export const resourceGroup = 'firebreak.dev';
export const resourceVersion = 'v1alpha1';
export const resourcePlurals = { Incident: 'incidents', Containment: 'containments' } as const;
export type ResourceKind = keyof typeof resourcePlurals;

/** The desired state of one resource. Firebreak writes it, but decides nothing by it. */
export interface ShownResource {
  readonly kind: ResourceKind;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly status: IncidentResourceStatus | ContainmentResourceStatus;
}

/** What the cell knows of an incident: that it is open, from its own memory, and the rest as the incident last reported it. */
export interface SeenIncident {
  readonly id: string;
  /** Its first run. */
  readonly run: string;
  /** Milliseconds since 1970. */
  readonly openedAt: number;
  readonly endedAt?: number;
  readonly said?: Pick<IncidentState, 'severity' | 'verdict' | 'reached'> & {
    readonly alerts: number;
    readonly rules: readonly string[];
    readonly openQuestions: number;
  };
}

/** Something that is in force, according to the cell's own note on it. */
export interface HeldContainment {
  readonly target: TargetName;
  readonly uid?: string;
  readonly action: string;
  readonly incident: string;
  readonly step: string;
  readonly terms: HoldTerms;
  /** What about it is not as it should be. */
  readonly problems: readonly string[];
}

export interface ResourceWords {
  /** The namespace for what is in no namespace. */
  readonly ownNamespace: string;
  readonly groups: readonly string[];
  readonly contact?: string | undefined;
}

const mostRules = 10;
const mostProblems = 10;
const longestText = 300;

/** Returns the part of an incident's own report that is kept. */
export function saidOf(state: IncidentState): NonNullable<SeenIncident['said']> {
  const { severity, verdict, reached, total, counts, questions } = state;
  const rules = [...new Set(counts.map(({ rule }) => shown(rule)))].slice(0, mostRules);
  // Questions about a lease may be answered at any time, and need not be.
  const openQuestions = questions.filter(({ question, status }) => status.state === 'open' && !isOfLease(question.id)).length;
  return { severity, verdict, reached, alerts: total, rules, openQuestions };
}

/** Returns the resource of an incident; undefined if the id is not an incident's. */
export function incidentResource(
  seen: SeenIncident,
  held: readonly HeldContainment[],
  words: ResourceWords,
): ShownResource | undefined {
  const { id, run, openedAt, endedAt, said } = seen;
  const subject = subjectOfIncident(id);
  if (!subject) return undefined;
  const own = held.filter(({ incident }) => incident === id);
  const isOpen = endedAt === undefined;
  const takenAt = own.map(({ terms }) => Date.parse(terms.at)).sort((a, b) => a - b)[0];
  const { kind, name } = shownSubject(subject);
  return {
    kind: 'Incident',
    namespace: subject.kind === 'workload' ? subject.namespace : words.ownNamespace,
    name: resourceName(`${kind.toLowerCase()}-${name}`, `${id}\n${run}`),
    labels: labelsOfShown(id),
    status: {
      subject: { kind, name },
      state: isOpen ? 'Open' : 'Ended',
      severity: said?.severity ?? own[0]?.terms.severity ?? 'unknown',
      reached: said?.reached ?? (own.length > 0 ? 'contained' : 'unknown'),
      verdict: said?.verdict ?? 'unknown',
      alerts: said?.alerts ?? 0,
      rules: [...(said?.rules ?? [])],
      openQuestions: isOpen ? (said?.openQuestions ?? 0) : 0,
      containments: own.length,
      openedAt: secondsOf(openedAt),
      ...(endedAt !== undefined && { endedAt: secondsOf(endedAt) }),
      ask: askText(words),
      conditions: [
        conditionOf('Ended', !isOpen, endedAt ?? openedAt, isOpen ? 'the incident is open' : 'the incident has ended'),
        conditionOf(
          'Contained',
          takenAt !== undefined,
          takenAt ?? endedAt ?? openedAt,
          own.length === 0
            ? 'nothing is in force'
            : `in force: ${own
                .map(({ target }) => target)
                .slice(0, 5)
                .join(', ')}`,
        ),
      ],
    },
  };
}

/** Returns the resource of something that is held. `until` in milliseconds since 1970; infinite: for good. */
export function containmentResource(
  held: HeldContainment,
  { until, changedAt, words }: { readonly until: number; readonly changedAt: number; readonly words: ResourceWords },
): ShownResource {
  const { target, uid, action, incident, step, terms } = held;
  const [kind = '', ...rest] = target.split('/');
  const name = rest.at(-1) ?? '';
  const inNamespace = rest.length > 1 ? rest[0] : undefined;
  const declaration = actions.find((one) => one.name === action);
  const problems = held.problems.slice(0, mostProblems).map(shown);
  const isWhole = problems.length === 0;
  return {
    kind: 'Containment',
    namespace: inNamespace ?? words.ownNamespace,
    name: resourceName(`${kind}-${name}`, `${step}\n${target}\n${uid ?? ''}`),
    labels: labelsOfShown(incident),
    status: {
      target: { kind: kindOf(kind), name, ...(uid !== undefined && { uid }) },
      action,
      does: declaration?.title ?? action,
      incident: incidentTitle(incident, inNamespace),
      severity: terms.severity,
      since: secondsOf(Date.parse(terms.at)),
      ...(Number.isFinite(until) && { until: secondsOf(until) }),
      onExpiry: terms.lease.onExpiry === 'release' ? 'release' : 'ask',
      problems,
      ask: askText(words),
      undo: 'The people to ask decide: on its card in Slack, or with firebreak lease release.',
      conditions: [
        conditionOf('InForce', isWhole, changedAt, isWhole ? 'it is unchanged' : (problems[0] ?? ''), ['AsMade', 'Changed']),
      ],
    },
  };
}

/** Returns when it expires: by people's decision, or, if silence renews it, at the end of the current term. */
export function shownUntil(end: number, { lease }: HoldTerms, now: number): number {
  if (end > now || lease.onExpiry === 'release' || !(lease.durationMs > 0)) return end;
  return end + Math.ceil((now - end + 1) / lease.durationMs) * lease.durationMs;
}

/** An incident of another namespace is none of the reader's business; those of nodes and the cluster are visible to everybody. */
function incidentTitle(incident: string, namespace: string | undefined): string {
  const subject = subjectOfIncident(incident);
  if (!subject) return 'unknown';
  const isElsewhere = subject.kind === 'workload' && namespace !== undefined && subject.namespace !== namespace;
  return isElsewhere ? 'in another namespace' : subjectTitle(subject);
}

function shownSubject(subject: Subject): { readonly kind: string; readonly name: string } {
  if (subject.kind === 'node') return { kind: 'Node', name: subject.node };
  if (subject.kind === 'cluster') return { kind: 'Cluster', name: subject.cluster };
  return { kind: subject.ownerKind, name: subject.name };
}

const spelled: ReadonlyMap<string, string> = new Map(
  [
    ...['Pod', 'Node', 'Namespace', 'ServiceAccount', 'Deployment', 'StatefulSet', 'DaemonSet', 'CronJob'],
    ...['NetworkPolicy', 'RoleBinding', 'ClusterRoleBinding', 'ValidatingAdmissionPolicy'],
  ].map((kind) => [kind.toLowerCase(), kind]),
);

function kindOf(lower: string): string {
  return spelled.get(lower.toLowerCase()) ?? lower;
}

/** Returns a valid resource name, the same for the same thing: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ */
export function resourceName(text: string, identity: string): string {
  const readable = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]+/g, '-')
    .slice(0, 200)
    .replaceAll(/^[.-]+|[.-]+$/g, '');
  return `${readable || 'x'}-${sha256Hex(identity).slice(0, 10)}`;
}

/** Labels by which Firebreak finds the resources it shows for an incident. */
export function labelsOfShown(incident: string): Readonly<Record<string, string>> {
  return { [names.managedByLabel]: 'firebreak', [names.incidentLabel]: incidentHash(incident) };
}

function conditionOf(
  type: string,
  holds: boolean,
  since: number,
  message: string,
  [yes, no]: readonly [string, string] = ['Yes', 'No'],
): ResourceCondition {
  const status = holds ? 'True' : 'False';
  return { type, status, reason: holds ? yes : no, message: shown(message), lastTransitionTime: secondsOf(since) };
}

function askText({ groups, contact }: ResourceWords): string {
  const people = groups.length === 0 ? 'your security team' : groups.slice(0, 3).join(', ');
  return contact === undefined ? people : `${people} (${contact})`;
}

function shown(text: string): string {
  return oneLine(redactSecrets(text), longestText);
}

/** The latest time that a Date can represent. */
const latest = 8.64e15;

/** Kubernetes writes times in whole seconds. */
function secondsOf(at: number): string {
  return new Date(Math.min(at, latest)).toISOString().replace(/\.\d+Z$/, 'Z');
}
