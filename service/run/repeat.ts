import { setTimeout as sleep } from 'node:timers/promises';

/** Does the work, and again this long after it has ended, until the signal. It keeps no process alive. Ends with what the work throws. */
export async function repeat(options: {
  readonly work: () => Promise<void>;
  readonly everyMs: number;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { work, everyMs, signal } = options;
  while (!signal.aborted) {
    await work();
    await sleep(everyMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}
