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

/** Some of many each time, so that each comes in its turn, also where others come and go meanwhile. */
export class Turns {
  readonly #most: number;
  #begun = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Goes on where it stopped, and from the beginning again where it reaches the end. */
  next<Item>(all: readonly Item[]): readonly Item[] {
    const count = Math.min(this.#most, all.length);
    const begun = all.length === 0 ? 0 : this.#begun % all.length;
    this.#begun = begun + count;
    return [...all, ...all].slice(begun, begun + count);
  }
}
