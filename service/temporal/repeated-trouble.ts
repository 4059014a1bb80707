/** How many times a problem has occurred since it began, and for how long it has lasted. */
export interface TroubleSoFar {
  readonly times: number;
  readonly forSeconds: number;
}

const firstAgainMs = 60_000;
const longestMs = 3_600_000;

/**
 * One problem that many calls run into, for a log that people read: it is logged at once, again after a minute, then after two, four and so on, an hour at
 * most. A different kind (another code) is logged at once, since it is news.
 */
export class RepeatedTrouble {
  readonly #now: () => number;
  readonly #kinds = new Set<string>();
  #times = 0;
  #since = 0;
  #lastAt = 0;
  #sayAt = 0;
  #distanceMs = firstAgainMs;

  constructor({ now = () => Date.now() }: { readonly now?: () => number } = {}) {
    this.#now = now;
  }

  /** Counts another occurrence. Returns what to log now; undefined if it was logged recently. */
  met(kind: string): TroubleSoFar | undefined {
    const at = this.#now();
    if (this.#times === 0) this.#since = at;
    this.#times += 1;
    this.#lastAt = at;
    const isNew = !this.#kinds.has(kind);
    if (!isNew && at < this.#sayAt) return undefined;
    this.#kinds.add(kind);
    if (!isNew) this.#distanceMs = Math.min(longestMs, this.#distanceMs * 2);
    this.#sayAt = at + this.#distanceMs;
    return this.#soFar(at);
  }

  /** Milliseconds since the last occurrence; undefined if the problem is over. */
  quietForMs(): number | undefined {
    return this.#times === 0 ? undefined : this.#now() - this.#lastAt;
  }

  /** Ends it. Returns its summary, from the first to the last occurrence; undefined if there was none. */
  over(): TroubleSoFar | undefined {
    if (this.#times === 0) return undefined;
    const soFar = this.#soFar(this.#lastAt);
    this.#times = 0;
    this.#kinds.clear();
    this.#distanceMs = firstAgainMs;
    return soFar;
  }

  #soFar(at: number): TroubleSoFar {
    return { times: this.#times, forSeconds: Math.round((at - this.#since) / 1_000) };
  }
}
