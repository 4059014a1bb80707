import type { RecordSignature } from '../audit/audit.ts';
import { sha256Hex } from '../text/digest.ts';
import type { JudgedAs, Judgement, Sender, SigningRole } from './sender.ts';

/**
 * The content of every payload that Firebreak gives to Temporal: a value, and the one purpose it is for. Anyone who can reach Temporal can copy a payload from
 * anywhere to anywhere else; bound like this, it is valid in one place only. It is signed with the payload.
 */
export interface Message {
  /** `start:TYPE`, `signal:NAME`, `query:NAME`, `answer:NAME`, `activity:TYPE`, `result:TYPE`, `failure:TYPE` or `end:TYPE`. */
  readonly to: string;
  readonly workflow: string;
  /** One run of the workflow: see `RunBinding`. Absent if the sender cannot know it: in a start and in a signal. */
  readonly run?: string;
  /** The call within the run: the number of an activity, or a random number drawn for a query. */
  readonly call?: string;
  /** In an answer: digest of the question. After a reset, a run may ask something else under the same call number. */
  readonly asked?: string;
  /** When it was signed, by the sender's clock, in milliseconds since 1970. Absent within a run, which has no clock of its own. */
  readonly at?: number;
  /** The start that created the sending run. */
  readonly start?: StartRef;
  /** In a call: how long its run has lasted so far, by Temporal's clock, in milliseconds. */
  readonly lastedMs?: number;
  readonly value: unknown;
  /** Signatures of the records in `value`, if it carries records to the desk: the cell's codec adds them, because the workflow has no key. */
  readonly signatures?: readonly RecordSignature[];
}

/** One start made by a cell. Another run with the same start is a replay of it. */
export interface StartRef {
  readonly id: string;
  readonly at: number;
  /** Its first run; absent in the start itself. */
  readonly firstRun?: string;
  /** When that run began, by Temporal's clock, in milliseconds since 1970; absent in the start itself. */
  readonly began?: number;
}

/** Why the codec returns no value. */
export type Unreadable = 'not-sealed' | 'unopenable' | 'no-json';

/** What the codec returns in place of a payload. It is created by this process: nothing in a payload can set `from`. */
export interface Received {
  /** Who signed it; null without a trusted signature. */
  readonly from: Sender | null;
  readonly unreadable?: Unreadable;
  readonly value: unknown;
  /** For workflows: identifies the payload, with the judgement from when runs of this workflow first met it. */
  readonly digest?: string;
  readonly judgements?: Readonly<Record<string, JudgedAs>>;
}

/** Why a message is rejected. */
export type Refusal =
  | Unreadable
  | 'no-message'
  | 'unsigned'
  | 'wrong-sender'
  | 'misdirected'
  | 'outdated'
  | 'played-back'
  | 'ahead'
  | 'moved';

export const refusalTexts: Readonly<Record<Refusal, string>> = {
  'not-sealed': 'it is not encrypted with the payload key',
  unopenable: 'it cannot be decrypted: another key was used, or its bytes were changed',
  'no-json': 'its content is not JSON',
  'no-message': 'it does not state its purpose',
  unsigned: 'it has no trusted signature',
  'wrong-sender': 'its signer may not send that',
  misdirected: 'it was made for something else',
  outdated: 'it was made before this run started',
  moved: 'it runs on a different build from the one that the cell started it with',
  ahead: 'more time has passed in its run than since its start: somebody makes Temporal skip time',
  'played-back': 'its run was started with a start message that was used before, or whose incident has ended',
};

/** Accepted senders. `anybody`: the content is signed by people or desks, and checked by the cell. */
export type Senders = readonly SigningRole[] | 'anybody';

export interface Expected {
  readonly to: string;
  readonly workflow: string;
  readonly run?: string | undefined;
  readonly call?: string | undefined;
  readonly asked?: string | undefined;
  readonly from: Senders;
}

export type Read = { readonly ok: true; readonly message: Message } | { readonly ok: false; readonly why: Refusal };

const boundBy = ['to', 'workflow', 'run', 'call', 'asked'] as const;

/** Reads the message from the codec's result, if it is the one expected here. Never throws, whatever the input. */
export function readMessage(received: unknown, expected: Expected): Read {
  if (!isReceived(received)) return { ok: false, why: 'not-sealed' };
  const { from, unreadable, value } = received;
  if (unreadable) return { ok: false, why: unreadable };
  if (!isMessage(value)) return { ok: false, why: 'no-message' };
  // Checked before the signature: the outcome for a misdirected message does not depend on anyone's keys.
  if (!boundBy.every((name) => value[name] === expected[name])) return { ok: false, why: 'misdirected' };
  if (expected.from !== 'anybody') {
    if (!from) return { ok: false, why: 'unsigned' };
    if (!expected.from.includes(from.role) || !speaksFor(from, expected.workflow)) return { ok: false, why: 'wrong-sender' };
  }
  return { ok: true, message: value };
}

/**
 * The same within a workflow run, which may read the message again years later: its first judgement counts. `found` is set if that was made now. Anything that
 * does not depend on keys is not judged.
 */
export function readInRun(
  received: unknown,
  expected: Expected,
  run: string,
): { readonly read: Read; readonly found?: Judgement } {
  if (!isReceived(received)) return { read: readMessage(received, expected) };
  const { judgements = {}, digest, unreadable, from } = received;
  const known = Object.hasOwn(judgements, run) ? judgements[run] : undefined;
  if (known === 'unopenable') return { read: { ok: false, why: 'unopenable' } };
  const read = readMessage(known === undefined ? received : { ...received, from: known === 'nobody' ? null : known }, expected);
  if (known !== undefined || digest === undefined) return { read };
  if (unreadable === 'unopenable') return { read, found: { run, digest, judged: 'unopenable' } };
  const byKeys = expected.from !== 'anybody' && (read.ok || read.why === 'unsigned' || read.why === 'wrong-sender');
  return byKeys ? { read, found: { run, digest, judged: from ?? 'nobody' } } : { read };
}

/** Used instead of a run for what a cell remembers about ends that it signed itself: keys trusted later do not reopen what is over. */
export const endsRun = 'end';

/** The arguments carried by the message of a start, a signal, a query or an activity. */
export function argumentsIn({ value }: Message): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Times as ISO 8601 and as milliseconds since 1970, in JSON. */
const timesInJson = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z|(?<=[[,:])\d{13}(?=[\],}])/g;

/**
 * What an answer is bound to besides its call. Times are left out: on replay, a workflow's clock may show a later time (docs/decisions/timers-decide.md), and
 * the true answer to the same call must still count.
 */
export function digestOfAsked(args: readonly unknown[]): string {
  return sha256Hex(JSON.stringify(args).replace(timesInJson, ''));
}

/** The second part of any workflow's id is the cluster. */
export function clusterOfWorkflow(id: string): string | undefined {
  return id.split('/')[1];
}

/** A cell and its pools speak for their own cluster. */
function speaksFor({ cluster }: Sender, workflow: string): boolean {
  return cluster === undefined || cluster === clusterOfWorkflow(workflow);
}

/**
 * The name of the run that a message is bound to: the previous run, or the first one of its chain. It is the same in a run that Temporal was told to reset,
 * whose history holds answers to the run that it was cut from.
 */
export function runBinding(info: {
  readonly continuedFromExecutionRunId?: string;
  readonly firstExecutionRunId: string;
}): string {
  return info.continuedFromExecutionRunId === undefined ? info.firstExecutionRunId : `after ${info.continuedFromExecutionRunId}`;
}

function isReceived(value: unknown): value is Received {
  return typeof value === 'object' && value !== null && 'from' in value && 'value' in value;
}

function isMessage(value: unknown): value is Message {
  if (typeof value !== 'object' || value === null) return false;
  const { to, workflow, run, call, asked, at, start, lastedMs }: { readonly [name in keyof Message]?: unknown } = value;
  const texts = [to, workflow, run ?? '', call ?? '', asked ?? ''];
  const times = [at ?? 0, lastedMs ?? 0];
  return texts.every((text) => typeof text === 'string') && times.every((time) => typeof time === 'number') && isStart(start);
}

function isStart(start: unknown): boolean {
  if (start === undefined) return true;
  if (typeof start !== 'object' || start === null) return false;
  const { id, at, firstRun = '', began = 0 }: { readonly [name in keyof StartRef]?: unknown } = start;
  const times = [at, began];
  return typeof id === 'string' && times.every((time) => typeof time === 'number') && typeof firstRun === 'string';
}
