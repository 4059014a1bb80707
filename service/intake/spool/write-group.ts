import type { RootDatabase } from 'lmdb';

/**
 * A write within a batch: the batch reports whether it is stored. LMDB also rejects each write of a batch, and an unhandled rejection would end the process.
 */
export function partOfBatch(write: Promise<unknown>): void {
  write.catch(() => undefined);
}

interface Group {
  readonly writes: (() => void)[];
  /** Errors by the place of the write that threw. */
  readonly failures: Map<number, unknown>;
  readonly flushed: Promise<void>;
}

/** Combines the writes of one turn of the event loop into one batch: a batch per alert cost as much as its writes. */
export class WriteGroup {
  readonly #root: RootDatabase;
  #open: Group | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(root: RootDatabase) {
    this.#root = root;
  }

  /** Resolves when the write is on disk. @param write must throw, if at all, before it has written anything */
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
            // A write that fails must not make the others fail.
            failures.set(place, error);
          }
        }
        // Written alerts need not stay in memory for as long as the disk takes.
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
