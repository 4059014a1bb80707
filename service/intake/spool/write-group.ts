import type { RootDatabase } from 'lmdb';

/**
 * A write within a batch: the batch says whether it is kept. LMDB rejects each write of a batch besides, and a rejection that nobody takes would
 * end the process.
 */
export function partOfBatch(write: Promise<unknown>): void {
  write.catch(() => undefined);
}

interface Group {
  readonly writes: (() => void)[];
  /** By the place of the write that threw. */
  readonly failures: Map<number, unknown>;
  readonly flushed: Promise<void>;
}

/** Puts the writes of one turn of the event loop into one batch: a batch for each alert cost as much as the writes in it. */
export class WriteGroup {
  readonly #root: RootDatabase;
  #open: Group | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(root: RootDatabase) {
    this.#root = root;
  }

  /** @param write throws, if at all, before it has written anything. Resolves when it is on the disk. */
  async add(write: () => void): Promise<void> {
    this.#open ??= this.#begin();
    const { writes, failures, flushed } = this.#open;
    const place = writes.push(write) - 1;
    await flushed;
    if (failures.has(place)) throw failures.get(place);
  }

  /** Resolves when nothing is underway. */
  async settled(): Promise<void> {
    await this.#last;
  }

  #begin(): Group {
    const writes: (() => void)[] = [];
    const failures = new Map<number, unknown>();
    const turn = new Promise<void>((go) => setImmediate(go));
    const flushed = turn.then(() => {
      this.#open = undefined;
      return this.#root.batch(() => {
        for (const [place, write] of writes.entries()) {
          try {
            write();
          } catch (error) {
            // One that cannot be written must not take the others with it.
            failures.set(place, error);
          }
        }
        // What is written need not be kept for as long as the disk takes.
        writes.length = 0;
      });
    });
    this.#last = flushed.then(
      () => {},
      () => {},
    );
    return { writes, failures, flushed: flushed.then(() => {}) };
  }
}
