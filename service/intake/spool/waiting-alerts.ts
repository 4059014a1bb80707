import type { Database, RootDatabase } from 'lmdb';
import type { PlacedEntry, SpoolEntry } from './entry.ts';
import { partOfBatch } from './write-group.ts';

/**
 * The waiting alerts in order of arrival, regardless of their incident, so that writes fill the last page and do not change a page per incident. Which alerts
 * belong to an incident is kept in memory, 8 bytes per alert, and in a separate list on disk that is small enough to be read at start.
 */
export class WaitingAlerts {
  readonly #entries: Database<SpoolEntry, number>;
  readonly #incidents: Database<string, number>;
  /** Places by incident, ascending. */
  readonly #lines = new Map<string, number[]>();
  #last = 0;

  constructor(root: RootDatabase) {
    // Field names of alerts are stored once, not in every entry.
    this.#entries = root.openDB({ name: 'waiting', sharedStructuresKey: Symbol.for('structures') });
    this.#incidents = root.openDB({ name: 'lines' });
    for (const { key, value } of this.#incidents.getRange({})) this.stored(key, value);
  }

  /** Place of the newest alert; 0 if there is none. */
  get lastPlace(): number {
    return this.#last;
  }

  /** Must be called within a batch of the database. */
  put(place: number, incident: string, entry: SpoolEntry): void {
    partOfBatch(this.#entries.put(place, entry));
    partOfBatch(this.#incidents.put(place, incident));
  }

  /** The batch with this alert is on disk; places ascend. */
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

  /** Returns places of an incident after one place and up to another, oldest first, at most `limit`. */
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

  /** Must be called within a batch of the database. */
  remove(place: number): void {
    partOfBatch(this.#entries.remove(place));
    partOfBatch(this.#incidents.remove(place));
  }

  /** The batch with the removals is on disk; these were the oldest alerts of the incident. */
  removed(incident: string, places: readonly number[]): void {
    const line = this.#lines.get(incident) ?? [];
    line.splice(0, firstAfter(line, places.at(-1) ?? 0));
    if (line.length === 0) this.#lines.delete(incident);
  }

  stats(): readonly unknown[] {
    return [this.#entries.getStats(), this.#incidents.getStats()];
  }
}

/** Returns the index of the first larger place in an ascending list. */
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
