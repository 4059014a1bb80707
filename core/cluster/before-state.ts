import { type HoldTerms, isHoldTerms } from '../incident/hold.ts';
import { type CellKey, seal, unseal } from '../messages/sealed.ts';
import { sha256Hex } from '../text/digest.ts';
import { doNotDisrupt, incidentHash, names } from './labels.ts';
import type { PodRecord } from './pod-record.ts';

export type { CellKey };

/**
 * The state of a pod before its quarantine. It is written onto the pod in the same patch as the change, so that the undo needs nothing else. Anyone who may
 * patch the pod may edit it: the MAC with the cell's key detects that.
 */
export interface BeforeState {
  readonly version: 1;
  /** The incident's full id. */
  readonly incident: string;
  /** The key of the step that made the change. */
  readonly step: string;
  readonly podUid: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The controller that owned it, and the workload at the top of its owners: the owner reference is removed along with the labels. */
  readonly owner?: NamedKind;
  readonly workload?: NamedKind;
  /** Annotations that the quarantine set for autoscalers, with their earlier values; null: not there. */
  readonly annotations?: Readonly<Record<string, string | null>>;
  /** Number of annotations and labels that did not fit into this note: they are not restored. Absent: none. */
  readonly lost?: { readonly annotations: number; readonly labels: number };
  /** Marks of all pods of the same step (`podMark`), if there are more than this one. */
  readonly together?: readonly string[];
  readonly terms: HoldTerms;
}

export interface NamedKind {
  readonly kind: string;
  readonly name: string;
}

/** Stands for a pod in the notes of all pods of a workload, which may be thousands: it tells them apart, but proves nothing. 8 hex digits. */
export function podMark(uid: string): string {
  return sha256Hex(uid).slice(0, 8);
}

const domain = 'firebreak.before-state.v1\n';

/** Returns the annotation's text. @throws RangeError when the key has less than 32 bytes. */
export function sealBeforeState(state: BeforeState, key: CellKey): string {
  return seal(domain, state, key);
}

type OpenedBeforeState =
  | { readonly kind: 'absent' }
  | { readonly kind: 'unreadable' }
  /** The state in the annotation, and whether the cell wrote it. `unknown`: no key was given to check it. */
  | { readonly kind: 'read'; readonly state: BeforeState; readonly authentic: 'yes' | 'no' | 'unknown' };

/** Reads the annotation of the pod with this uid. A state copied from another pod is not authentic. */
export function openBeforeState(options: {
  readonly text: string | undefined;
  readonly podUid: string;
  readonly key: CellKey | undefined;
}): OpenedBeforeState {
  const { text, podUid, key } = options;
  const opened = unseal(domain, text, key);
  if (opened.kind !== 'read') return opened;
  const { value: state, authentic } = opened;
  if (!isBeforeState(state)) return { kind: 'unreadable' };
  return { kind: 'read', state, authentic: authentic === 'yes' && state.podUid !== podUid ? 'no' : authentic };
}

/** Returns the state if the cell itself wrote this text for the pod with this uid. */
export function authenticState(of: {
  readonly text: string | undefined;
  readonly podUid: string;
  readonly key: CellKey;
}): BeforeState | undefined {
  const opened = openBeforeState(of);
  return opened.kind === 'read' && opened.authentic === 'yes' ? opened.state : undefined;
}

/** Returns whether the cell itself has quarantined the pod. The label alone proves nothing: anyone who creates a pod can set it. */
export function isHeldByCell(pod: Pick<PodRecord, 'uid' | 'annotations'>, key: CellKey): boolean {
  return authenticState({ text: pod.annotations[names.beforeAnnotation], podUid: pod.uid, key }) !== undefined;
}

/**
 * Returns the valid one of two notes of a pod: an older note that somebody has kept and put back counts for nothing. With equal times the first one wins, which
 * is what the pod says.
 */
export function laterState(found: BeforeState | undefined, known: BeforeState | undefined): BeforeState | undefined {
  if (!found || !known) return found ?? known;
  return heldSince(found) >= heldSince(known) ? found : known;
}

/** Milliseconds since 1970. */
export function heldSince({ terms }: BeforeState): number {
  return Date.parse(terms.at);
}

/** Who released a pod: a cell, or a person with the cell's key and without a cell. */
export type GivenBackBy = 'cell' | 'hand';

const releaseDomain = 'firebreak.release-mark.v1\n';

/**
 * Returns the mark that is written onto a pod in the same patch that releases it: it shows each replica of the cell that the quarantine was not removed by
 * somebody else. It names the note that it ends, so a kept mark cannot end a later quarantine.
 * @param observedFor who released it under observation, so that a replica that has not released it, or has crashed meanwhile, observes it as well
 */
export function releaseMark(
  before: BeforeState,
  by: GivenBackBy,
  key: CellKey,
  observedFor?: readonly string[],
): Readonly<Record<string, string>> {
  const { incident, podUid, step } = before;
  const mark = { version: 1, by, incident, note: noteDigest(before, key), podUid, step, ...(observedFor && { observedFor }) };
  return { [names.releasedAnnotation]: seal(releaseDomain, mark, key) };
}

/** Returns who has ended exactly this quarantine, by the mark on its pod; undefined if nobody with the cell's key has. */
export function givenBackBy(
  pod: { readonly uid: string; readonly annotations: Readonly<Record<string, string>> },
  before: BeforeState,
  key: CellKey,
): GivenBackBy | undefined {
  return openedMark(pod, before, key)?.by;
}

/** Returns who has released it under observation, by the mark on its pod; undefined if it was released for good, or not by the cell. */
export function observedFor(...mark: Parameters<typeof givenBackBy>): readonly string[] | undefined {
  return openedMark(...mark)?.observedFor;
}

function openedMark(
  ...[pod, before, key]: Parameters<typeof givenBackBy>
): { readonly by: GivenBackBy; readonly observedFor?: readonly string[] } | undefined {
  const opened = unseal(releaseDomain, pod.annotations[names.releasedAnnotation], key);
  if (opened.kind !== 'read' || opened.authentic !== 'yes') return undefined;
  const { by, note, podUid, version, observedFor }: Readonly<Record<string, unknown>> = { ...opened.value };
  const isOfThis = version === 1 && podUid === pod.uid && podUid === before.podUid && note === noteDigest(before, key);
  if (!isOfThis || (by !== 'cell' && by !== 'hand')) return undefined;
  return { by, ...(Array.isArray(observedFor) && { observedFor: observedFor.map(String) }) };
}

/** Digest of the note as the cell writes it, however its text was changed meanwhile. */
function noteDigest(before: BeforeState, key: CellKey): string {
  return sha256Hex(sealBeforeState(before, key));
}

/** Everything that a quarantine puts on its pod. */
export interface QuarantineMarks {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export function quarantineMarks(state: BeforeState, key: CellKey): QuarantineMarks {
  return {
    labels: quarantineLabels(state.incident),
    annotations: {
      ...(state.annotations && doNotDisrupt),
      [names.incidentAnnotation]: state.incident,
      [names.stepAnnotation]: state.step,
      [names.beforeAnnotation]: sealBeforeState(state, key),
    },
  };
}

/** Share of a note's room for labels, as JSON before encoding. Ordinary pods use less than a twentieth. */
const labelBytes = 64 * 1024;
const disruptionBytes = 1024;
/** JSON overhead of each label besides its name and value: `"":"",` */
const labelFrame = 6;
const ownLabels: ReadonlySet<string> = new Set([names.quarantineLabel, names.incidentLabel]);

/**
 * Returns what a note says about a pod. The creator of a pod could give it so much of everything that no note fits, and so escape: whatever exceeds any
 * ordinary pod is dropped, the longest first, and the note says how much. Our own labels on it are dropped as well, since somebody else wrote them: a released
 * pod is in no quarantine.
 */
export function notedOf({
  labels,
  annotations,
  crowding = [],
}: Pick<PodRecord, 'labels' | 'annotations' | 'crowding'>): Required<Pick<BeforeState, 'labels' | 'annotations'>> &
  Pick<BeforeState, 'lost'> {
  const fitting: [name: string, value: string][] = [];
  let room = labelBytes;
  const theirs = Object.entries(labels).filter(([name]) => !ownLabels.has(name));
  for (const [name, value] of theirs.sort(([a, x], [b, y]) => a.length + x.length - b.length - y.length)) {
    room -= name.length + value.length + labelFrame;
    if (room >= 0) fitting.push([name, value]);
  }
  const isTooLong = (name: string): boolean => (annotations[name] ?? '').length > disruptionBytes;
  const spared = Object.keys(doNotDisrupt);
  const lost = {
    annotations: crowding.length + spared.filter(isTooLong).length,
    labels: Object.keys(labels).length - fitting.length,
  };
  return {
    labels: lost.labels === 0 ? labels : Object.fromEntries(fitting),
    annotations: Object.fromEntries(spared.map((name) => [name, isTooLong(name) ? null : (annotations[name] ?? null)])),
    ...(lost.annotations + lost.labels > 0 && { lost }),
  };
}

/** All labels of a quarantined pod: ours, and no others. */
export function quarantineLabels(incident: string): Readonly<Record<string, string>> {
  return { [names.quarantineLabel]: 'active', [names.incidentLabel]: incidentHash(incident) };
}

function isBeforeState(value: object): value is BeforeState {
  if (!('version' in value && 'incident' in value && 'step' in value && 'podUid' in value && 'labels' in value)) return false;
  const { version, incident, step, podUid, labels } = value;
  if (version !== 1 || typeof incident !== 'string' || typeof step !== 'string' || typeof podUid !== 'string') return false;
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) return false;
  if (!Object.values(labels).every((label) => typeof label === 'string')) return false;
  if (!('terms' in value && isHoldTerms(value.terms))) return false;
  if ('annotations' in value && !isAnnotations(value.annotations)) return false;
  if ('lost' in value && !isLost(value.lost)) return false;
  if ('together' in value && !(Array.isArray(value.together) && value.together.every((mark) => typeof mark === 'string')))
    return false;
  return (!('owner' in value) || isNamedKind(value.owner)) && (!('workload' in value) || isNamedKind(value.workload));
}

function isAnnotations(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((one: unknown) => one === null || typeof one === 'string')
  );
}

function isLost(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('annotations' in value && 'labels' in value)) return false;
  return Number.isSafeInteger(value.annotations) && Number.isSafeInteger(value.labels);
}

function isNamedKind(value: unknown): value is NamedKind {
  return (
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    typeof value.kind === 'string' &&
    'name' in value &&
    typeof value.name === 'string'
  );
}
