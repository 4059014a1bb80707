import { setTimeout as sleep } from 'node:timers/promises';

/** The time that passes between an unanswered create and what follows it: that of the machine, or, in tests, one that is skipped. */
export interface TicketTime {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Resolves early if the signal is aborted. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
}

export const realTime: TicketTime = {
  now: () => Date.now(),
  wait: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => undefined),
};
