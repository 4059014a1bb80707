interface Counter {
  count: number;
  /** How much of the count may belong to other keys. */
  readonly inherited: number;
}

/**
 * The most frequent of any number of keys, in constant memory: "space-saving". A key that makes up more than 1 in `places` of all is certainly included.
 * Metwally, Agrawal, El Abbadi: Efficient computation of frequent and top-k elements in data streams (2005).
 */
export class TopTalkers {
  readonly #places: number;
  readonly #counters = new Map<string, Counter>();

  constructor(places: number) {
    this.#places = places;
  }

  add(key: string): void {
    const known = this.#counters.get(key);
    if (known !== undefined) {
      known.count += 1;
      return;
    }
    if (this.#counters.size < this.#places) {
      this.#counters.set(key, { count: 1, inherited: 0 });
      return;
    }
    let least: [string, Counter] | undefined;
    for (const entry of this.#counters) {
      if (least !== undefined && entry[1].count >= least[1].count) continue;
      least = entry;
      if (entry[1].count === 1) break;
    }
    const inherited = least?.[1].count ?? 0;
    if (least !== undefined) this.#counters.delete(least[0]);
    this.#counters.set(key, { count: inherited + 1, inherited });
  }

  clear(): void {
    this.#counters.clear();
  }

  /** Most frequent first; each key occurred at least `count` times. */
  top(most: number): readonly { readonly key: string; readonly count: number }[] {
    return [...this.#counters]
      .map(([key, { count, inherited }]) => ({ key, count: count - inherited }))
      .sort((a, b) => b.count - a.count)
      .slice(0, most);
  }
}
