/** Less than one: between two calls nobody goes for as long as the last one took, times what is missing. */
const fewest = 0.25;
/** Of one that yields: after each call a rest as long as the call. On two cores a second call at once makes the first one slower, and no more are done. */
const fewestYielding = 0.5;
/** A call that takes longer says that the service has more than it can do. */
const slowMs = 120;
const narrowedEveryMs = 250;
/** Who waits for an answer is not kept waiting until it is sure. */
const yieldedEveryMs = 100;
/** A lane that widened with every quick call had all its places again before anybody's wait was over. */
const calmMs = 500;
const widenedEveryMs = 100;
const longestRestMs = 1_000;

export interface ConcurrencyLimiterOptions {
  readonly adaptive?: boolean;
  /** Places of an adaptive one at first; all, if not said. */
  readonly first?: number;
  /** Whether something that matters more waits for this process. */
  readonly yields?: () => boolean;
  /** Milliseconds that only go on. */
  readonly now?: () => number;
}

/** Who wants to go when. */
export interface Turn {
  /** By it one that waits is found again. */
  readonly key?: string;
  /** 0 goes first. */
  readonly rank?: number;
}

/** Begins a call in a place of that lane. */
type Begin = (limiter: ConcurrencyLimiter) => void;

/**
 * Lets so many calls run at once; the others wait by rank, and then in the order in which they came. An adaptive one narrows while calls
 * are slow, down to one at a time with a rest after each, and widens again while they are quick: what waits here does not stand before a
 * critical call over there. To what matters more in this process it yields the same way.
 */
export class ConcurrencyLimiter {
  readonly #most: number;
  readonly #adaptive: boolean;
  readonly #yields: () => boolean;
  readonly #now: () => number;
  readonly #waiting = new RankedQueue<string | symbol, Begin>();
  #places: number;
  #taken = 0;
  #narrowedAt = Number.NEGATIVE_INFINITY;
  #widenedAt = Number.NEGATIVE_INFINITY;

  constructor(places: number, options: ConcurrencyLimiterOptions = {}) {
    const { adaptive = false, first = places, yields = () => false, now = () => performance.now() } = options;
    this.#most = places;
    this.#places = first;
    this.#adaptive = adaptive;
    this.#yields = yields;
    this.#now = now;
  }

  /** Whether a call would run at once. */
  get isFree(): boolean {
    return this.#taken < this.#open;
  }

  run<T>(call: () => Promise<T>, { key, rank = 0 }: Turn = {}): Promise<T> {
    return new Promise<T>((done, fail) => {
      this.#admit(key ?? Symbol('turn'), rank, (limiter) => {
        limiter.#work(call).then(done, fail);
      });
    });
  }

  /** One that waits here with that key, behind that rank, goes on in another lane (or in this one) as if it had come with that rank. */
  raise(key: string, rank: number, to: ConcurrencyLimiter): void {
    const begin = this.#waiting.withdraw(key, rank);
    if (begin !== undefined) to.#admit(key, rank, begin);
  }

  #admit(key: string | symbol, rank: number, begin: Begin): void {
    if (!this.isFree) {
      this.#waiting.add(key, rank, begin);
      return;
    }
    this.#taken += 1;
    begin(this);
  }

  async #work<T>(call: () => Promise<T>): Promise<T> {
    const began = this.#now();
    try {
      return await call();
    } finally {
      const took = this.#now() - began;
      if (this.#adaptive) this.#adapt(took);
      if (this.#places >= 1) this.#handOn();
      else setTimeout(() => this.#handOn(), Math.min(longestRestMs, took * (1 / this.#places - 1))).unref();
    }
  }

  get #open(): number {
    return Math.max(1, Math.floor(this.#places));
  }

  /** At once, and to as many as there are places for: nobody overtakes. */
  #handOn(): void {
    this.#taken -= 1;
    while (this.isFree) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#taken += 1;
      next(this);
    }
  }

  #adapt(tookMs: number): void {
    const now = this.#now();
    const isSlow = tookMs >= slowMs;
    const sinceNarrowed = now - this.#narrowedAt;
    if (isSlow || this.#yields()) {
      if (sinceNarrowed <= (isSlow ? narrowedEveryMs : yieldedEveryMs)) return;
      const atLeast = isSlow ? fewest : Math.min(fewestYielding, this.#places);
      this.#places = Math.max(atLeast, this.#places / 2);
      this.#narrowedAt = now;
    } else if (sinceNarrowed > calmMs && now - this.#widenedAt > widenedEveryMs) {
      this.#places = Math.min(this.#most, this.#places < 1 ? this.#places * 2 : this.#places + 1);
      this.#widenedAt = now;
    }
  }
}

/** Waits in the order of rank (0 goes first), and within a rank in the order of coming. Each key waits at most once. */
class RankedQueue<K, T> {
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
