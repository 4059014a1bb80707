import type { Database, RootDatabase } from 'lmdb';
import type { SpoolEntry } from './entry.ts';
import { partOfBatch } from './write-group.ts';

/** An item from a known sender that was not accepted. */
interface RejectedItem {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly reason: string;
  readonly bytes: number;
  /** Sealed. */
  readonly raw: Uint8Array;
  /** Only the beginning is kept. */
  readonly cut?: true;
  /** The sender, and the node that the sender is bound to. */
  readonly from?: string;
  readonly node?: string;
  /** The sensor to whose address it was sent. */
  readonly sensor?: string;
}

/** An accepted alert that Temporal refused permanently. */
interface RefusedAlert {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly reason: string;
  readonly incident: string;
  readonly entry: SpoolEntry;
}

export interface Placed<Item> {
  readonly place: number;
  readonly item: Item;
}

const mostRejected = 1_000;

/** Items that are not on their way to an incident: items that could not be read or were forbidden, and alerts that Temporal refused. */
export class RejectedItems {
  readonly #root: RootDatabase;
  readonly #rejected: Database<RejectedItem, number>;
  readonly #refused: Database<RefusedAlert, number>;
  #lastRejected = 0;

  constructor(root: RootDatabase) {
    this.#root = root;
    this.#rejected = root.openDB({ name: 'rejected' });
    this.#refused = root.openDB({ name: 'refused' });
    for (const key of this.#rejected.getKeys({ reverse: true, limit: 1 })) this.#lastRejected = key;
  }

  /** Keeps the item for inspection; drops the oldest if there are too many. */
  async reject(item: RejectedItem): Promise<void> {
    this.#lastRejected += 1;
    const place = this.#lastRejected;
    await this.#root.batch(() => {
      partOfBatch(this.#rejected.put(place, item));
      partOfBatch(this.#rejected.remove(place - mostRejected));
    });
  }

  /** Newest first. */
  rejected(limit = mostRejected): readonly Placed<RejectedItem>[] {
    return [...this.#rejected.getRange({ reverse: true, limit })].map(({ key, value }) => ({ place: key, item: value }));
  }

  rejectedAt(place: number): RejectedItem | undefined {
    return this.#rejected.get(place);
  }

  async forgetRejected(place: number): Promise<void> {
    await this.#rejected.remove(place);
  }

  async forgetRefused(place: number): Promise<void> {
    await this.#refused.remove(place);
  }

  /** Must be called within a batch of the database. */
  putRefused(place: number, refused: RefusedAlert): void {
    partOfBatch(this.#refused.put(place, refused));
  }

  /** Must be called within a batch of the database. */
  removeRefused(place: number): void {
    partOfBatch(this.#refused.remove(place));
  }

  refusedAt(place: number): RefusedAlert | undefined {
    return this.#refused.get(place);
  }

  /** Newest first. */
  refused(limit = mostRejected): readonly Placed<RefusedAlert>[] {
    return [...this.#refused.getRange({ reverse: true, limit })].map(({ key, value }) => ({ place: key, item: value }));
  }

  refusedCount(): number {
    return this.#refused.getKeysCount();
  }

  /** Used for the size of the spool: alerts that Temporal refused are never dropped, so they count. */
  stats(): unknown {
    return this.#refused.getStats();
  }
}
