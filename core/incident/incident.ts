import type { Alert } from '../alert/alert.ts';
import type { Severity } from '../alert/severity.ts';
import type { OutgoingRecord } from '../audit/alert-archive.ts';

/** What an incident is about. One subject has one incident at a time, and one incident is one workflow. */
export type Subject =
  | {
      readonly kind: 'workload';
      readonly cluster: string;
      readonly namespace: string;
      readonly ownerKind: string;
      readonly name: string;
    }
  | { readonly kind: 'node'; readonly cluster: string; readonly node: string }
  /** For alerts that name neither pod nor node, such as most alerts from the API audit log. */
  | { readonly kind: 'cluster'; readonly cluster: string };

export type Verdict = 'true_positive' | 'benign' | 'suspicious' | 'unknown';

/** How far the response has progressed, in the sense of NIST SP 800-61. */
export type Reached = 'detected' | 'contained' | 'eradicated' | 'recovered';

/** The workflow id of a subject's incident. Computed once by the intake and kept with the alert. Names cannot contain `/`. */
export function incidentIdOf(subject: Subject): string {
  if (subject.kind === 'cluster') return `incident/${subject.cluster}/cluster`;
  return subject.kind === 'node'
    ? `incident/${subject.cluster}/node/${subject.node}`
    : `incident/${subject.cluster}/${subject.namespace}/${subject.ownerKind}/${subject.name}`;
}

/** The form that people type and read: `shop/Deployment/cart` for `incident/CLUSTER/shop/Deployment/cart`. An id of another cluster stays whole. */
export function shortIncidentId(id: string, cluster: string): string {
  const prefix = `incident/${cluster}/`;
  return id.startsWith(prefix) ? id.slice(prefix.length) : id;
}

const ownerKinds: ReadonlyMap<string, string> = new Map(
  ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'ReplicationController', 'Job', 'CronJob', 'Pod'].map((kind) => [
    kind.toLowerCase(),
    kind,
  ]),
);

/** The full id for what somebody typed: a full id, a short one, or a card's title (`deployment/shop/cart`). */
export function fullIncidentId(written: string, cluster: string): string {
  return written.startsWith('incident/') ? written : `incident/${cluster}/${shortAsMeant(written)}`;
}

/** If a namespace has the name of a kind, the input is left as it is. */
function shortAsMeant(written: string): string {
  const [first = '', second = '', name, ...rest] = written.split('/');
  if (name === undefined || rest.length > 0) return written;
  const [asFirst, asSecond] = [first, second].map((part) => ownerKinds.get(part.toLowerCase()));
  if (asFirst !== undefined && asSecond === undefined) return `${second}/${asFirst}/${name}`;
  return asSecond !== undefined && asFirst === undefined ? `${first}/${asSecond}/${name}` : written;
}

/** The subject from which an incident's id was made; undefined if it is no such id. Names cannot contain `/`. */
export function subjectOfIncident(id: string): Subject | undefined {
  const [root, cluster, first, second, third, ...rest] = id.split('/');
  if (root !== 'incident' || !cluster || rest.length > 0) return undefined;
  if (first && second && third) return { kind: 'workload', cluster, namespace: first, ownerKind: second, name: third };
  if (first === 'cluster' && second === undefined) return { kind: 'cluster', cluster };
  if (first === 'node' && second && third === undefined) return { kind: 'node', cluster, node: second };
  return undefined;
}

export function subjectTitle(subject: Subject): string {
  if (subject.kind === 'cluster') return `cluster/${subject.cluster}`;
  return subject.kind === 'node'
    ? `node/${subject.node}`
    : `${subject.ownerKind.toLowerCase()}/${subject.namespace}/${subject.name}`;
}

/** One run of one incident: ids repeat, so the first execution's run id tells runs apart. */
export interface IncidentRef {
  readonly id: string;
  readonly run: string;
}

/** What the intake starts an incident with. */
export interface IncidentStart {
  readonly subject: Subject;
  readonly batch: AlertBatch;
}

/** Alerts of one incident, counted and sampled: what one signal carries. */
export interface AlertBatch {
  /** The same for a redelivered batch: the workflow counts a batch once. */
  readonly id: string;
  /** New rules, pods or severities first, whole; at most 20. */
  readonly alerts: readonly Alert[];
  /** Everything in the batch, samples included, counted by rule and pod. */
  readonly counts: readonly AlertCount[];
  /** Ids of people whom any alert of the batch names as the actor, including alerts that are only counted. Absent: none. */
  readonly actors?: readonly string[];
  /** Ids of people who ordered any of it by hand. Absent: none. */
  readonly requesters?: readonly string[];
}

export interface AlertCount {
  readonly rule: string;
  readonly severity: Severity;
  /** `namespace/name`; absent for host alerts. */
  readonly pod?: string;
  readonly count: number;
  readonly firstSeen: string;
  readonly lastSeen: string;
}

/** What happened to a quarantine that somebody changed: restored, damaged, intact again, or ended with its pod. */
type ContainmentChange = 'containment.reasserted' | 'containment.changed' | 'containment.whole' | 'containment.gone';

/** A timeline entry from the intake for an open incident: it starts nothing and runs nothing. */
export interface IncidentNote {
  /** The same when it is sent again. */
  readonly id: string;
  readonly kind: 'alert.suppressed' | 'sensor.back' | 'step.seen' | 'incident.restarted' | 'pack.observed' | ContainmentChange;
  readonly text: string;
  /** The suppression, step or sensor. */
  readonly about: string;
  /** Records of an earlier run that was ended or reset, which the store does not have yet. Absent: none. */
  readonly records?: readonly OutgoingRecord[];
}

/** Names by which the incident workflow is reached from outside. */
export const incidentNames = {
  workflow: 'incident',
  alertsSignal: 'alerts',
  voteSignal: 'vote',
  remarkSignal: 'remark',
  noteSignal: 'note',
  /** There is news of the ticket or the page. It carries nothing else: anyone who can reach Temporal can send one. */
  ticketNewsSignal: 'ticketNews',
  stateQuery: 'state',
} as const;
