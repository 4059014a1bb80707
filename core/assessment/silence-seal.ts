import { lastsMs, type Question, questionDigest } from '../decide/approval.ts';
import type { IncidentRef } from '../incident/incident.ts';
import { type CellKey, seal, unseal } from '../messages/sealed.ts';

/** What a question says if silence on it contains the pod: it is what people are told, and the chokepoint accepts no other words. */
export const containedOnSilence =
  'The pod is quarantined for 4 hours, and then until people release it. This can be undone at any time.';

/** A pod that people are asked about first, and that is cut off if they do not answer. */
interface SilentPod {
  readonly version: 1;
  readonly podUid: string;
  /** Id of the alert. */
  readonly alert: string;
  /** ISO 8601 */
  readonly at: string;
  /** How long people have at least, from the question on. */
  readonly waitMs: number;
}

/** When the cell was first told of a question, by its own clock. */
interface HeardQuestion {
  readonly version: 1;
  readonly question: string;
  /** ISO 8601 */
  readonly at: string;
}

const podDomain = 'firebreak.silent-pod.v1\n';
const questionDomain = 'firebreak.heard-question.v1\n';
/** As long as for a pod that is cut off at once. */
const validForMs = 7 * 86_400_000;

/**
 * The cell's confirmation that silence about this pod contains it: its assessment says `ask`, and its policy `onSilence: contain`. It counts only together with
 * the question that people were asked: see `containedBySilence`. @throws RangeError when the key has less than 32 bytes.
 */
export function sealSilence(pod: Omit<SilentPod, 'version'>, key: CellKey): string {
  return seal(podDomain, { version: 1, ...pod }, key);
}

/** The cell's confirmation of when it heard of a question whose silence contains. @param nowMs milliseconds since 1970 */
export function sealHeard(question: Question, key: CellKey, nowMs: number): string {
  return seal(questionDomain, { version: 1, question: questionDigest(question), at: new Date(nowMs).toISOString() }, key);
}

/** What a containment because of silence is based on. It travels through Temporal, which can make none of it. */
export interface SilenceProof {
  readonly question: Question;
  /** See `sealSilence`. */
  readonly seal: string;
  /** See `sealHeard`. */
  readonly heard: string;
}

type Silence =
  /** Times in milliseconds since 1970. */
  | { readonly ok: true; readonly podUid: string; readonly assessedAt: number; readonly from: number }
  | { readonly ok: false; readonly reason: string };

/**
 * From when on silence on a question contains a pod, by what a cell with this key has sealed: not before the whole waiting time is over since the cell heard
 * of the question, whatever the question says and whoever was asked early.
 */
export function containedBySilence(
  { question, seal: ofPod, heard }: SilenceProof,
  of: {
    readonly podUid: string | undefined;
    readonly incident: IncidentRef;
    readonly key: CellKey;
    readonly nowMs: number;
  },
): Silence {
  const pod = read<SilentPod>(podDomain, ofPod, of.key);
  const asked = read<HeardQuestion>(questionDomain, heard, of.key);
  const assessedAt = Date.parse(pod?.at ?? '');
  const heardAt = Date.parse(asked?.at ?? '');
  if (pod?.podUid === undefined || pod.podUid !== of.podUid || !(of.nowMs - assessedAt <= validForMs))
    return refused('the cell has not said that this pod is contained on silence');
  if (asked?.question === undefined || asked.question !== questionDigest(question))
    return refused('the cell has not heard of this question');
  const { incident, containsOnSilence, onSilence, until = '', levels } = question;
  if (incident.id !== of.incident.id || incident.run !== of.incident.run)
    return refused('the question belongs to another incident');
  if (containsOnSilence !== of.podUid || onSilence !== containedOnSilence)
    return refused('people were not told that silence contains this pod');
  if (!(heardAt >= assessedAt)) return refused('people were asked before the cell said so');
  const waitMs = Math.max(pod.waitMs ?? Number.NaN, lastsMs(levels));
  const from = Math.max(Date.parse(until), heardAt + waitMs);
  return Number.isNaN(from) ? refused('the question has no end') : { ok: true, podUid: pod.podUid, assessedAt, from };
}

function read<Value extends object>(domain: string, text: string, key: CellKey): Partial<Value> | undefined {
  const opened = unseal(domain, text, key);
  return opened.kind === 'read' && opened.authentic === 'yes' ? opened.value : undefined;
}

function refused(reason: string): Silence {
  return { ok: false, reason };
}
