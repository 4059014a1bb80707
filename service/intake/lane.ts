/** Less than one: between two calls nobody goes for as long as the last one took, times what is missing. */
const fewest = 0.25;
/** A call that takes longer says that the service has more than it can do. */
const slowMs = 120;
const narrowedEveryMs = 250;
const longestRestMs = 1_000;

export interface LaneOptions {
  readonly adaptive?: boolean;
  /** Places of an adaptive one at first; all, if not said. */
  readonly first?: number;
  /** Whether something that matters more waits for this process. */
  readonly yields?: () => boolean;
}

/**
 * Lets so many calls run at once; the others wait in the order in which they came. An adaptive one narrows while calls are slow, down to
 * one at a time with a rest after each, and widens again while they are quick: what waits here does not stand before a critical call over
 * there. To what matters more in this process it yields down to one call at a time.
 */
export class Lane {
  readonly #most: number;
  readonly #adaptive: boolean;
  readonly #yields: () => boolean;
  readonly #waiting: (() => void)[] = [];
  #places: number;
  #taken = 0;
  #narrowedAt = Number.NEGATIVE_INFINITY;

  constructor(places: number, { adaptive = false, first = places, yields = () => false }: LaneOptions = {}) {
    this.#most = places;
    this.#places = first;
    this.#adaptive = adaptive;
    this.#yields = yields;
  }

  /** Whether a call would run at once. */
  get isFree(): boolean {
    return this.#taken < this.#open;
  }

  async run<T>(call: () => Promise<T>): Promise<T> {
    if (!this.isFree) await new Promise<void>((go) => this.#waiting.push(go));
    else this.#taken += 1;
    const began = performance.now();
    try {
      return await call();
    } finally {
      const took = performance.now() - began;
      if (this.#adaptive) this.#adapt(took);
      if (this.#places >= 1) this.#handOn();
      else setTimeout(() => this.#handOn(), Math.min(longestRestMs, took * (1 / this.#places - 1))).unref();
    }
  }

  get #open(): number {
    return Math.max(1, Math.floor(this.#places));
  }

  /** The place is handed on, never free in between: nobody overtakes. */
  #handOn(): void {
    if (this.#taken > this.#open) {
      this.#taken -= 1;
      return;
    }
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken -= 1;
    else next();
    while (this.#waiting.length > 0 && this.#taken < this.#open) {
      this.#taken += 1;
      this.#waiting.shift()?.();
    }
  }

  #adapt(tookMs: number): void {
    const now = performance.now();
    const yields = this.#yields();
    if (tookMs < slowMs && !yields)
      this.#places = Math.min(this.#most, this.#places < 1 ? this.#places * 2 : this.#places + 1 / this.#places);
    else if (now - this.#narrowedAt > narrowedEveryMs) {
      const atLeast = tookMs < slowMs ? Math.min(1, this.#places) : fewest;
      this.#places = Math.max(atLeast, this.#places / 2);
      this.#narrowedAt = now;
    }
  }
}
