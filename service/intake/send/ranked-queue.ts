/** Waits in the order of rank (0 goes first), and within a rank in the order of coming. Each key waits at most once. */
export class RankedQueue<K, T> {
  readonly #ranks: Map<K, T>[] = [];

  add(key: K, rank: number, item: T): void {
    while (this.#ranks.length <= rank) this.#ranks.push(new Map());
    this.#ranks[rank]?.set(key, item);
  }

  /** Whose turn it is. */
  shift(): T | undefined {
    for (const waiting of this.#ranks) {
      const next = waiting.entries().next();
      if (next.done === true) continue;
      const [key, item] = next.value;
      waiting.delete(key);
      return item;
    }
    return undefined;
  }

  /** Takes out one that waits behind a rank; undefined where there is none. */
  withdraw(key: K, behind: number): T | undefined {
    for (const waiting of this.#ranks.slice(behind + 1)) {
      const item = waiting.get(key);
      if (item === undefined) continue;
      waiting.delete(key);
      return item;
    }
    return undefined;
  }
}
