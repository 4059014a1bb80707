import { setTimeout as sleep } from 'node:timers/promises';

/** Runs the work, and again this long after it has ended, until the signal. Does not keep the process alive. Rejects with what the work throws. */
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

/** Like `repeat`, but the work returns the milliseconds until its next run. */
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

/** Picks some of many items each time, so that each gets its turn, even if others come and go meanwhile. */
export class Turns {
  readonly #most: number;
  #begun = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Continues where it stopped, and starts over when it reaches the end. */
  next<Item>(all: readonly Item[]): readonly Item[] {
    const count = Math.min(this.#most, all.length);
    const begun = all.length === 0 ? 0 : this.#begun % all.length;
    this.#begun = begun + count;
    return [...all, ...all].slice(begun, begun + count);
  }
}
