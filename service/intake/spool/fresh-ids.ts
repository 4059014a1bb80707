import { setImmediate } from 'node:timers/promises';
import type { Database, RootDatabase } from 'lmdb';
import type { Ledger } from './ledger.ts';
import { partOfBatch } from './write-group.ts';

const idLength = 32;
const lookEveryMs = 1_000;
const calmMs = 500;
/** In memory, with their incidents: about 150 bytes each. */
const mostFresh = 50_000;
/** Ids that are looked at in one turn of the event loop, or removed in one commit. */
const idsAtOnce = 500;

/**
 * Ids of alerts that the ledger does not have yet. The ledger is in the order of the ids, which are hashes: each would change a page of its
 * own, and three quarters of what an alert wrote to the disk was that. So they are written one after another first, and go to the ledger
 * together and in its order, when it is calm or when there are many. In memory they are found at once.
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

  /** Of the newest one; 0 when there is none. */
  get lastPlace(): number {
    return this.#last;
  }

  /** The incident that an alert went to. */
  get(alertId: string): string | undefined {
    return this.#incidents.get(alertId);
  }

  /** To be called within a batch of the database, places ascending. */
  put(place: number, alertId: string, incident: string): void {
    partOfBatch(this.#rows.put(place, `${alertId}${incident}`));
  }

  /** That batch is on the disk. */
  stored(place: number, alertId: string, incident: string): void {
    this.#incidents.set(alertId, incident);
    this.#last = place;
    this.#storedAt = performance.now();
    this.#lookLater();
  }

  /** Resolves when nothing of it touches the disk any more. What is not in the ledger then stays here. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#moving;
  }

  #lookLater(): void {
    if (this.#timer !== undefined || this.#stopped) return;
    this.#timer = setTimeout(() => {
      const isDue = this.#incidents.size >= mostFresh || performance.now() - this.#storedAt >= calmMs;
      // What fails is tried again later: where the disk is full nothing is lost by waiting.
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

  /** Each part is beside the other in the ledger: few pages a batch, and accepting goes on between two. */
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
