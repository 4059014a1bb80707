import { setTimeout as delay } from 'node:timers/promises';
import { FirebreakError } from '../../core/errors.ts';

/** How far a try has come. */
export interface Progress {
  /** Events in the workflow's history, without those of its tasks: a task that fails, or gets lost, comes again and again. */
  readonly events: number;
  /** Milliseconds that the server has skipped: by how much its clock is ahead of this process's. */
  readonly skippedMs: number;
  /** Why the workflow's last task failed; absent if it has not failed. */
  readonly failure?: string | undefined;
}

/** One try on a server of its own. */
export interface Try<T> {
  /** Settles when the try is over and its server, worker and connections have ended, also after `end` was aborted. */
  readonly result: Promise<T>;
  /** May reject, or not answer, while the server is starting or does not respond. */
  readonly progress: () => Promise<Progress>;
}

/** Waits this many milliseconds of real time; rejects if the signal is aborted. */
type Wait = (ms: number, signal?: AbortSignal) => Promise<unknown>;

const mostTries = 3;
const lookEveryMs = 5_000;
/** In real time. */
const mostStillMs = 30_000;
/** A run takes seconds. Without a single skip it only goes on at clock speed, at which thirty days of waiting would take thirty days. */
const mostUnskippedMs = 300_000;
/** More than a slow answer to a look can seem to be. */
const leastSkipMs = 1_000;
const mostEndMs = 30_000;

/**
 * Runs on Temporal's test server, which loses tasks, or stops skipping time, on a busy machine: then nothing happens any more. A try that stands still is ended,
 * and the next one begins on a new server.
 *
 * @param begin starts a server and runs on it, until the signal is aborted
 * @throws FB_ERR_UNAVAILABLE if three tries have stood still; and whatever a try throws
 */
export async function inTries<T>(begin: (end: AbortSignal) => Try<T>, wait: Wait = realWait): Promise<T> {
  let last: Progress | undefined;
  for (let tries = 0; tries < mostTries; tries += 1) {
    const end = new AbortController();
    const watch = new AbortController();
    const { result, progress } = begin(end.signal);
    const ended = result.then((value) => ({ value }));
    try {
      const first = await Promise.race([ended, untilStill(progress, wait, watch.signal)]);
      if ('value' in first) return first.value;
      last = first;
    } finally {
      watch.abort();
    }
    end.abort();
    // What a try says once it is told to end no longer counts.
    await Promise.race([ended.catch(() => undefined), wait(mostEndMs)]);
  }
  throw stoodStill(last?.failure);
}

const realWait: Wait = (ms, signal) => delay(ms, undefined, { signal });

/**
 * Resolves when a try stands still. One that waits does not: the server skips what it waits for, so each look finds time skipped or, between the waits, a longer
 * history. One that hangs may look as if it went on: its clock still goes, at normal speed, so a body's short sleeps end, and lengthen the history, for hours.
 * Hence the clock alone does not count, and the history counts only for some minutes.
 *
 * Looks are counted rather than measured by a clock: a machine that was asleep, or a debugger that stops this process, is no hang.
 */
async function untilStill(progress: Try<unknown>['progress'], wait: Wait, signal: AbortSignal): Promise<Progress> {
  let best: Progress = { events: 0, skippedMs: 0 };
  let stillMs = 0;
  for (let unskippedMs = 0; stillMs < mostStillMs && unskippedMs < mostUnskippedMs; ) {
    let seen = best;
    void progress().then(
      (now) => {
        seen = now;
      },
      () => undefined,
    );
    await wait(lookEveryMs, signal);
    const hasSkipped = seen.skippedMs > best.skippedMs + leastSkipMs;
    stillMs = hasSkipped || seen.events > best.events ? 0 : stillMs + lookEveryMs;
    unskippedMs = hasSkipped ? 0 : unskippedMs + lookEveryMs;
    // A late answer may be an old one.
    best = {
      events: Math.max(best.events, seen.events),
      skippedMs: hasSkipped ? seen.skippedMs : best.skippedMs,
      failure: seen.failure,
    };
  }
  return best;
}

function stoodStill(failure: string | undefined): FirebreakError {
  const said =
    failure === undefined
      ? 'As far as is known, the playbook is not at fault: this server stands still when the machine is busy. Run it again with less load on the machine'
      : `The last task of the workflow failed: ${failure}`;
  return new FirebreakError(
    'FB_ERR_UNAVAILABLE',
    `Temporal's test server stood still in ${mostTries} tries, each on a new server. ${said}`,
    {
      remedy:
        failure === undefined
          ? 'Run fewer tests at once, or end other work on the machine, and run it again.'
          : 'Correct what the failure names, and run it again.',
    },
  );
}
