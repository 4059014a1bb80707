import { setImmediate } from 'node:timers/promises';
import type { Database, RootDatabase } from 'lmdb';
import type { Ledger } from './ledger.ts';
import { partOfBatch } from './write-group.ts';

const idLength = 32;
const lookEveryMs = 1_000;
const calmMs = 500;
/** Maximum number of ids in memory, with their incidents: about 150 bytes each. Were none kept, a commit of 20 alerts would write 390 KB instead of 75 (`bench/intake.ts`). */
const mostFresh = 50_000;
/** Ids read in one turn of the event loop, or removed in one commit. */
const idsAtOnce = 500;

/**
 * Ids of alerts that are not in the ledger yet. The ledger is ordered by id, which is a hash: each write would change a different page, and that made up three
 * quarters of what an alert wrote to disk. Ids are therefore first appended sequentially, and moved to the ledger together and in its order when it is calm or
 * when there are many. Look-ups are in memory.
 */
export class FreshIds {
  readonly #root: RootDatabase;
  readonly #ledger: Ledger;
  readonly #rows: Database<string, number>;
  readonly #incidents = new Map<string, string>();
  #last = 0;
  #storedAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #moving: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(root: RootDatabase, ledger: Ledger) {
    this.#root = root;
    this.#ledger = ledger;
    this.#rows = root.openDB({ name: 'fresh' });
    for (const { key, value } of this.#rows.getRange({})) {
      this.#incidents.set(value.slice(0, idLength), value.slice(idLength));
      this.#last = key;
    }
    if (this.#incidents.size > 0) this.#lookLater();
  }

  /** Place of the newest id; 0 if there is none. */
  get lastPlace(): number {
    return this.#last;
  }

  /** Returns the incident of an alert. */
  get(alertId: string): string | undefined {
    return this.#incidents.get(alertId);
  }

  /** Must be called within a batch of the database, with ascending places. */
  put(place: number, alertId: string, incident: string): void {
    partOfBatch(this.#rows.put(place, `${alertId}${incident}`));
  }

  /** The batch with this id is on disk. */
  stored(place: number, alertId: string, incident: string): void {
    this.#incidents.set(alertId, incident);
    this.#last = place;
    this.#storedAt = performance.now();
    this.#lookLater();
  }

  /** Resolves when it no longer touches the disk. Ids that are not in the ledger by then stay here. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#moving;
  }

  #lookLater(): void {
    if (this.#timer !== undefined || this.#stopped) return;
    this.#timer = setTimeout(() => {
      const isDue = this.#incidents.size >= mostFresh || performance.now() - this.#storedAt >= calmMs;
      // A failed move is retried later: waiting loses nothing if the disk is full.
      this.#moving = (isDue ? this.#move().catch(() => {}) : Promise.resolve()).then(() => {
        this.#timer = undefined;
        if (this.#incidents.size > 0) this.#lookLater();
      });
    }, lookEveryMs).unref();
  }

  async #move(): Promise<void> {
    const upTo = this.#last;
    const parts = await this.#byBeginning();
    for (const ids of parts) {
      if (this.#stopped) return;
      await this.#root.batch(() => {
        for (const id of ids) this.#ledger.put(id, this.#incidents.get(id) ?? '');
      });
      await setImmediate();
    }
    for (;;) {
      if (this.#stopped) return;
      const places = [...this.#rows.getKeys({ end: upTo + 1, limit: idsAtOnce })];
      if (places.length === 0) break;
      await this.#root.batch(() => {
        for (const place of places) partOfBatch(this.#rows.remove(place));
      });
      await setImmediate();
    }
    for (const ids of parts) {
      for (const id of ids) this.#incidents.delete(id);
      await setImmediate();
    }
  }

  /** The ids of each part are adjacent in the ledger: few pages per batch, and accepting continues between two batches. */
  async #byBeginning(): Promise<readonly (readonly string[])[]> {
    const parts = new Map<string, string[]>();
    for (const [at, id] of [...this.#incidents.keys()].entries()) {
      if (at % idsAtOnce === idsAtOnce - 1) await setImmediate();
      const beginning = id.slice(0, 2);
      const part = parts.get(beginning);
      if (part === undefined) parts.set(beginning, [id]);
      else part.push(id);
    }
    return [...parts.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, ids]) => ids);
  }
}
