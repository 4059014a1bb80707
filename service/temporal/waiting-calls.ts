import type { WorkflowExecutionDescription } from '@temporalio/client';
import { optionalTsToMs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';
import { RepeatedTrouble } from './repeated-trouble.ts';

/** A call is taken within a second. One that has waited for so long nobody takes. */
export const stillAfterMs = 120_000;
const quietMs = 10 * 60_000;

const notTaken =
  'what incidents have to have done waits, and nobody takes it: look whether the process that does it runs, and whether Temporal holds its queue back (firebreak doctor)';

const { PENDING_ACTIVITY_STATE_SCHEDULED: isScheduled } = proto.temporal.api.enums.v1.PendingActivityState;

/** What is wrong with it people have to see. */
export interface ErrorLog {
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** For how long something waits that has done so since `at` as Temporal says, in milliseconds; not longer than whoever looks has been looking. */
export function waitsMs(
  at: number | undefined,
  { now, lookingSince }: { readonly now: number; readonly lookingSince: number },
): number {
  return at === undefined ? 0 : now - Math.max(at, lookingSince);
}

/** Tells of calls that nobody takes, by the queue on which they wait: the process that does them may be away, or somebody who reaches Temporal holds the queue back. */
export class WaitingCalls {
  readonly #log: ErrorLog;
  readonly #now: () => number;
  readonly #lookingSince: number;
  readonly #queues = new Map<string, RepeatedTrouble>();

  constructor({ log, now = Date.now }: { readonly log: ErrorLog; readonly now?: () => number }) {
    this.#log = log;
    this.#now = now;
    this.#lookingSince = now();
  }

  /** @returns whether there are any */
  look(incident: string, { raw }: Pick<WorkflowExecutionDescription, 'raw'>, stillMs = stillAfterMs): boolean {
    const now = this.#now();
    let areWaiting = false;
    for (const { state, scheduledTime, activityOptions, activityType } of raw.pendingActivities ?? []) {
      const ms = state === isScheduled ? waitsMs(optionalTsToMs(scheduledTime), { now, lookingSince: this.#lookingSince }) : 0;
      if (ms < stillMs) continue;
      areWaiting = true;
      const queue = activityOptions?.taskQueue?.name ?? 'unknown';
      const trouble = this.#queues.get(queue) ?? new RepeatedTrouble({ now: this.#now });
      this.#queues.set(queue, trouble);
      const said = trouble.met(queue);
      const waitsSeconds = Math.round(ms / 1_000);
      if (said) this.#log.error({ queue, incident, activity: activityType?.name, waitsSeconds, ...said }, notTaken);
    }
    for (const [queue, trouble] of this.#queues) if ((trouble.quietForMs() ?? 0) > quietMs) this.#queues.delete(queue);
    return areWaiting;
  }
}
