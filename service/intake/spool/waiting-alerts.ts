import type { Database, RootDatabase } from 'lmdb';
import type { PlacedEntry, SpoolEntry } from './entry.ts';
import { partOfBatch } from './write-group.ts';

/**
 * The waiting alerts in the order in which they came, whatever incidents they are of: so writing some fills the last page, and changes no
 * page of each incident's own. Which ones are an incident's is in memory, 8 bytes an alert, and beside them on the disk, small enough to
 * be read at the start.
 */
export class WaitingAlerts {
  readonly #entries: Database<SpoolEntry, number>;
  readonly #incidents: Database<string, number>;
  /** Places by incident, ascending. */
  readonly #lines = new Map<string, number[]>();
  #last = 0;

  constructor(root: RootDatabase) {
    // The names of an alert's fields are kept once, not in every entry.
    this.#entries = root.openDB({ name: 'waiting', sharedStructuresKey: Symbol.for('structures') });
    this.#incidents = root.openDB({ name: 'lines' });
    for (const { key, value } of this.#incidents.getRange({})) this.stored(key, value);
  }

  /** Of the newest one; 0 when there is none. */
  get lastPlace(): number {
    return this.#last;
  }

  /** To be called within a batch of the database. */
  put(place: number, incident: string, entry: SpoolEntry): void {
    partOfBatch(this.#entries.put(place, entry));
    partOfBatch(this.#incidents.put(place, incident));
  }

  /** That batch is on the disk; places ascend. */
  stored(place: number, incident: string): void {
    const line = this.#lines.get(incident);
    if (line === undefined) this.#lines.set(incident, [place]);
    else line.push(place);
    this.#last = Math.max(this.#last, place);
  }

  incidents(): IterableIterator<string> {
    return this.#lines.keys();
  }

  has(incident: string): boolean {
    return this.#lines.has(incident);
  }

  get(place: number): SpoolEntry | undefined {
    return this.#entries.get(place);
  }

  /** Places of an incident after one and up to another, oldest first, `limit` at most. */
  places(
    incident: string,
    { after, upTo = Number.MAX_SAFE_INTEGER, limit }: { readonly after: number; readonly upTo?: number; readonly limit: number },
  ): readonly number[] {
    const line = this.#lines.get(incident) ?? [];
    const first = firstAfter(line, after);
    const some = line.slice(first, first + limit);
    return some.slice(0, firstAfter(some, upTo));
  }

  of(incident: string, { after, limit }: { readonly after: number; readonly limit: number }): readonly PlacedEntry[] {
    return this.places(incident, { after, limit }).flatMap((place) => {
      const entry = this.#entries.get(place);
      return entry === undefined ? [] : [{ place, entry }];
    });
  }

  /** To be called within a batch of the database. */
  remove(place: number): void {
    partOfBatch(this.#entries.remove(place));
    partOfBatch(this.#incidents.remove(place));
  }

  /** That batch is on the disk: these were the oldest ones of the incident. */
  removed(incident: string, places: readonly number[]): void {
    const line = this.#lines.get(incident) ?? [];
    line.splice(0, firstAfter(line, places.at(-1) ?? 0));
    if (line.length === 0) this.#lines.delete(incident);
  }

  stats(): readonly unknown[] {
    return [this.#entries.getStats(), this.#incidents.getStats()];
  }
}

/** Where the first one that is larger is, among ascending ones. */
function firstAfter(places: readonly number[], place: number): number {
  let low = 0;
  let high = places.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((places[middle] ?? 0) <= place) low = middle + 1;
    else high = middle;
  }
  return low;
}
