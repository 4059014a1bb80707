import { setTimeout as sleep } from 'node:timers/promises';

/** Does the work, and again this long after it has ended, until the signal. It keeps no process alive. Ends with what the work throws. */
export function repeat(options: {
  readonly work: () => Promise<void>;
  readonly everyMs: number;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { work, everyMs, signal } = options;
  const paced = async (): Promise<number> => {
    await work();
    return everyMs;
  };
  return repeatAsItSays({ work: paced, signal });
}

/** As `repeat`, where the work says each time in how many milliseconds it is to be done again. */
export async function repeatAsItSays(options: {
  readonly work: () => Promise<number>;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { work, signal } = options;
  while (!signal.aborted) {
    const waitMs = await work();
    await sleep(waitMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}
