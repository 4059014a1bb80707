import type { Database, RootDatabase } from 'lmdb';
import type { SpoolEntry } from './entry.ts';
import { partOfBatch } from './write-group.ts';

/** Something that came from a known sender and was not taken. */
interface RejectedItem {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly reason: string;
  readonly bytes: number;
  /** Sealed. */
  readonly raw: Uint8Array;
  /** Only the beginning of it is kept. */
  readonly cut?: true;
  /** Who sent it, and the node that the sender is bound to. */
  readonly from?: string;
  readonly node?: string;
  /** The sensor whose address it was sent to. */
  readonly sensor?: string;
}

/** An accepted alert that Temporal refused for good. */
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

/** What is not on its way to an incident: items that could not be read or were forbidden, and alerts that Temporal refused. */
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

  /** Keeps it for inspection; the oldest goes when there are too many. */
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

  /** To be called within a batch of the database. */
  putRefused(place: number, refused: RefusedAlert): void {
    partOfBatch(this.#refused.put(place, refused));
  }

  /** To be called within a batch of the database. */
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

  /** For the size of the spool: alerts that Temporal refused are never dropped, so they count. */
  stats(): unknown {
    return this.#refused.getStats();
  }
}
