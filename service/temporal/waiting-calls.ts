import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { decodeOptionalFailureToOptionalError } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { optionalTsToMs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';
import { readMessage } from '../../core/messages/message.ts';
import { signingRoles } from '../../core/messages/sender.ts';
import { sha256Hex } from '../../core/text/digest.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { RepeatedTrouble } from './repeated-trouble.ts';

/** A call is normally taken within a second. After this long, nobody is taking it. */
export const stillAfterMs = 120_000;
/** None of our calls waits longer than five minutes for its next attempt, and the clocks of two machines may be that far apart. */
const longestPauseMs = 11 * 60_000;
const quietMs = 10 * 60_000;
/** A run waits at most a minute between two calls of the same name. */
const forgottenAfterMs = 5 * 60_000;
const mostHeard = 100;

const texts = {
  'not taken':
    'calls of incidents are waiting and no process takes them: check whether the process that handles them is running, and whether Temporal holds its queue back (firebreak doctor)',
  'not answered':
    'calls of incidents are taken again and again, but no trusted process returns a result: check whether the process that handles them is killed or hangs, ' +
    'whether its key is trusted, and who else takes work from its queue in Temporal',
  'put off':
    'somebody with access to Temporal postponed calls of incidents for longer than the process that handles them asked for: they are due now',
} as const;

type Trouble = keyof typeof texts;

const { PENDING_ACTIVITY_STATE_SCHEDULED: isScheduled } = proto.temporal.api.enums.v1.PendingActivityState;

/** For problems that people have to see. */
export interface ErrorLog {
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** The part of a Temporal client that is needed here: the keys with which failures are read. */
interface ReadingClient {
  readonly options: Pick<Client['options'], 'loadedDataConverter'>;
}

type PendingCall = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];

/** Calls of a workflow that get no answer. */
export interface CallsThatWait {
  /** Whether there are any. */
  readonly areThere: boolean;
  /** Their next attempt is too far away. */
  readonly putOff: readonly PendingCall[];
  /** Calls that may be stuck because someone changed their queue or timeouts: each is reported once in ten minutes. */
  readonly perhapsChanged: readonly PendingCall[];
}

/** How long something has been waiting since `at` according to Temporal, in milliseconds; at most as long as the caller has been watching. */
export function waitsMs(
  at: number | undefined,
  { now, lookingSince }: { readonly now: number; readonly lookingSince: number },
): number {
  return at === undefined ? 0 : now - Math.max(at, lookingSince);
}

/** Calls of one name in one workflow whose attempts end without an answer. */
interface Unanswered {
  /** Time of the first check that found it. */
  readonly since: number;
  readonly attempt: string;
  /** Another attempt ended the same way; a single one, lost because its process was killed, is not reported. */
  again: boolean;
}

/** What is known of the calls of one name in one workflow. */
interface Heard {
  at: number;
  unanswered: Unanswered | undefined;
  /** When they were last reported as possibly changed. */
  changedAt: number | undefined;
  /** Attempts by their failures: a failure that occurs a second time was replayed. */
  readonly failures: Map<string, string>;
}

/**
 * Reports calls that get no answer, by the queue on which they wait. Either nobody takes them: their worker may be down, or someone who can reach Temporal
 * holds the queue back. Or they are taken and nobody answers: the worker is killed each time, or someone takes its work away. Temporal schedules each attempt
 * as if it were the first, so the start of the problem is remembered here.
 */
export class WaitingCalls {
  readonly #log: ErrorLog;
  readonly #now: () => number;
  readonly #lookingSince: number;
  readonly #told = new Map<string, RepeatedTrouble>();
  readonly #heard = new Map<string, Map<string, Heard>>();

  constructor({ log, now = Date.now }: { readonly log: ErrorLog; readonly now?: () => number }) {
    this.#log = log;
    this.#now = now;
    this.#lookingSince = now();
  }

  forget(workflow: string): void {
    this.#heard.delete(workflow);
  }

  async look(
    client: ReadingClient,
    {
      workflowId,
      raw,
    }: Pick<WorkflowExecutionDescription, 'workflowId'> & {
      readonly raw: Pick<WorkflowExecutionDescription['raw'], 'pendingActivities'>;
    },
    stillMs = stillAfterMs,
  ): Promise<CallsThatWait> {
    const now = this.#now();
    const calls = raw.pendingActivities ?? [];
    const putOff: PendingCall[] = [];
    const perhapsChanged: PendingCall[] = [];
    let areThere = false;
    for (const [name, ofName] of Map.groupBy(calls, ({ activityType }) => activityType?.name ?? 'unknown')) {
      const heard = this.#heardOf(workflowId, name);
      let areWaiting = false;
      for (const call of ofName.filter(({ state }) => state === isScheduled)) {
        const at = optionalTsToMs(call.scheduledTime);
        const ms = waitsMs(at, { now, lookingSince: this.#lookingSince });
        if (ms >= stillMs) {
          areWaiting = true;
          this.#tell('not taken', workflowId, call, ms);
          continue;
        }
        const aheadMs = (at ?? now) - now;
        // The last failure is only decrypted if it matters: otherwise it would be decrypted twice for each call.
        if (aheadMs <= longestPauseMs || aheadMs <= longestPauseMs + (await askedPauseMs(client, workflowId, call))) continue;
        putOff.push(call);
        this.#tell('put off', workflowId, call, aheadMs);
      }
      const ms = await this.#unansweredMs(client, workflowId, heard, ofName);
      if (ms !== undefined && ms >= stillMs && ofName[0]) {
        areWaiting = true;
        this.#tell('not answered', workflowId, ofName.find(({ lastFailure }) => lastFailure) ?? ofName[0], ms);
      }
      if (!areWaiting) continue;
      areThere = true;
      if (now - (heard.changedAt ?? Number.NEGATIVE_INFINITY) < quietMs) continue;
      heard.changedAt = now;
      perhapsChanged.push(...ofName);
    }
    this.#tidy(workflowId);
    return { areThere: areThere || putOff.length > 0, putOff, perhapsChanged };
  }

  #tell(
    trouble: Trouble,
    incident: string,
    { activityOptions, activityType, attempt, lastWorkerIdentity }: PendingCall,
    ms: number,
  ): void {
    const queue = activityOptions?.taskQueue?.name ?? 'unknown';
    const key = `${trouble} ${queue}`;
    const times = this.#told.get(key) ?? new RepeatedTrouble({ now: this.#now });
    this.#told.set(key, times);
    const said = times.met(key);
    const seconds = { [trouble === 'put off' ? 'putOffSeconds' : 'waitsSeconds']: Math.round(ms / 1_000) };
    const taken = trouble === 'not answered' && { attempt, takenBy: lastWorkerIdentity };
    if (said) this.#log.error({ queue, incident, activity: activityType?.name, ...seconds, ...taken, ...said }, texts[trouble]);
  }

  /** How long attempts of these calls have ended without an answer; undefined if they have not. */
  async #unansweredMs(
    client: ReadingClient,
    workflow: string,
    heard: Heard,
    calls: readonly PendingCall[],
  ): Promise<number | undefined> {
    const lost: string[] = [];
    let isAnswered = false;
    for (const call of calls) {
      // Its first attempt is in progress: that tells nothing.
      if (!call.lastFailure) continue;
      const attempt = attemptOf(call);
      if (await isNews(client, { workflow, call, attempt, heard })) isAnswered = true;
      else lost.push(attempt);
    }
    const [first] = lost;
    if (first !== undefined) {
      heard.unanswered ??= { since: heard.at, attempt: first, again: false };
      const { attempt: before } = heard.unanswered;
      if (lost.some((attempt) => attempt !== before)) heard.unanswered.again = true;
    } else if (isAnswered) heard.unanswered = undefined;
    return heard.unanswered?.again ? heard.at - heard.unanswered.since : undefined;
  }

  #heardOf(workflow: string, name: string): Heard {
    const ofWorkflow = this.#heard.get(workflow) ?? new Map<string, Heard>();
    this.#heard.set(workflow, ofWorkflow);
    const heard = ofWorkflow.get(name) ?? { at: 0, unanswered: undefined, changedAt: undefined, failures: new Map() };
    ofWorkflow.set(name, heard);
    heard.at = this.#now();
    return heard;
  }

  #tidy(workflow: string): void {
    const now = this.#now();
    const ofWorkflow = this.#heard.get(workflow);
    for (const [name, { at }] of ofWorkflow ?? []) if (now - at > forgottenAfterMs) ofWorkflow?.delete(name);
    if (ofWorkflow?.size === 0) this.#heard.delete(workflow);
    for (const [key, trouble] of this.#told) if ((trouble.quietForMs() ?? 0) > quietMs) this.#told.delete(key);
  }
}

/**
 * Identified by its number and by when the last one ended: anyone who can reach Temporal can restart its count at one, and an attempt that timed out leaves no
 * end time.
 */
function attemptOf({ activityId, attempt, lastAttemptCompleteTime }: PendingCall): string {
  return `${activityId} ${attempt} ${optionalTsToMs(lastAttemptCompleteTime) ?? ''}`;
}

/** Whether someone trusted has signed why this attempt failed, and the same was not used for another attempt. */
async function isNews(
  client: ReadingClient,
  {
    workflow,
    call,
    attempt,
    heard,
  }: { readonly workflow: string; readonly call: PendingCall; readonly attempt: string; readonly heard: Heard },
): Promise<boolean> {
  const { lastFailure } = call;
  if ((await saidWhy(client, workflow, call)) === undefined) return false;
  const digest = sha256Hex(lastFailure?.applicationFailureInfo?.details?.payloads?.[0]?.data ?? '');
  const first = heard.failures.get(digest) ?? attempt;
  heard.failures.set(digest, first);
  const [oldest] = heard.failures.keys();
  if (heard.failures.size > mostHeard && oldest !== undefined) heard.failures.delete(oldest);
  return first === attempt;
}

/** How long the called service has asked callers to wait, for example after too many calls. */
async function askedPauseMs(client: ReadingClient, workflow: string, call: PendingCall): Promise<number> {
  const { retryAfterMs } = (await saidWhy(client, workflow, call)) ?? {};
  return typeof retryAfterMs === 'number' ? retryAfterMs : 0;
}

/** Why its last attempt failed, as signed by someone trusted. */
async function saidWhy(
  client: ReadingClient,
  workflow: string,
  { activityId, activityType, lastFailure }: PendingCall,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  if (!lastFailure) return undefined;
  const { loadedDataConverter } = client.options;
  // Whatever it contains must not keep the others from being checked.
  const error = await decodeOptionalFailureToOptionalError(loadedDataConverter, lastFailure).catch(() => undefined);
  const received = error instanceof ApplicationFailure ? error.details?.[0] : undefined;
  const claimed = isObject(received) && isObject(received.value) ? received.value : {};
  const [run, asked] = [claimed.run, claimed.asked].map((one) => (typeof one === 'string' ? one : undefined));
  const read = readMessage(received, {
    to: `failure:${activityType?.name}`,
    workflow,
    run,
    call: activityId ?? '',
    asked,
    from: signingRoles,
  });
  if (!read.ok) return undefined;
  return isObject(read.message.value) ? read.message.value : {};
}
