import { setImmediate } from 'node:timers/promises';
import type { Database, RootDatabase } from 'lmdb';
import { partOfBatch } from './write-group.ts';

/** The incident of an alert, and the day on which the alert arrived. */
interface LedgerEntry {
  readonly incident: string;
  /** Days since 1970. */
  readonly day: number;
}

const dayMs = 86_400_000;
/** Senders give up long before. */
const keptDays = 7;
const lookedAtOnce = 2_000;

/** Remembers for seven days which alert ids were accepted, so that a redelivery starts nothing. One look-up per alert. */
export class Ledger {
  readonly #root: RootDatabase;
  readonly #ids: Database<LedgerEntry, string>;
  readonly #now: () => number;

  constructor(root: RootDatabase, now: () => number = Date.now) {
    this.#root = root;
    this.#ids = root.openDB({ name: 'ids' });
    this.#now = now;
  }

  get(alertId: string): LedgerEntry | undefined {
    return this.#ids.get(alertId);
  }

  /** Must be called within a batch of the database: it is written with that batch, or not at all. */
  put(alertId: string, incident: string): void {
    partOfBatch(this.#ids.put(alertId, { incident, day: this.#today() }));
  }

  /** Removes what is older than seven days, a little at a time, because alerts have priority. */
  async forget(): Promise<void> {
    let start = '';
    for (;;) {
      const found = [...this.#ids.getRange({ start, limit: lookedAtOnce })];
      const old = found.filter(({ value }) => value.day < this.#today() - keptDays);
      if (old.length > 0) {
        await this.#root.batch(() => {
          for (const { key } of old) partOfBatch(this.#ids.remove(key));
        });
      }
      const last = found.at(-1);
      if (last === undefined || found.length < lookedAtOnce) return;
      start = `${last.key}\u0000`;
      await setImmediate();
    }
  }

  #today(): number {
    return Math.floor(this.#now() / dayMs);
  }
}
