/** Less than one place means a pause between calls: as long as the last call took, times the missing fraction. */
const fewest = 0.25;
/**
 * Minimum for a limiter that yields: after each call it rests as long as the call took. On two cores, a second concurrent call slows the first down and does
 * not increase throughput.
 */
const fewestYielding = 0.5;
/** A call that takes longer shows that the service is overloaded. */
const slowMs = 120;
const narrowedEveryMs = 250;
/** A caller that waits for an answer must not wait until the slowdown is certain. */
const yieldedEveryMs = 100;
/** If a lane widened with every quick call, it would have all its places back before anyone's wait was over. */
const calmMs = 500;
const widenedEveryMs = 100;
const longestRestMs = 1_000;

export interface ConcurrencyLimiterOptions {
  readonly adaptive?: boolean;
  /** Initial places of an adaptive limiter; by default all. */
  readonly first?: number;
  /** Returns whether something more important waits for this process. */
  readonly yields?: () => boolean;
  /** Monotonic clock in milliseconds. */
  readonly now?: () => number;
}

/** The order in which a caller gets its turn. */
export interface Turn {
  /** Identifies a waiting call. */
  readonly key?: string;
  /** 0 is served first. */
  readonly rank?: number;
}

/** Begins a call in a place of the given lane. */
type Begin = (limiter: ConcurrencyLimiter) => void;

/**
 * Limits how many calls run at once; the others wait by rank, then in order of arrival. An adaptive limiter narrows while calls are slow, down to one at a time
 * with a rest after each, and widens again while they are quick, so that work waiting here does not delay a critical call at the service. It yields in the same
 * way to more important work in this process.
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

  /** Whether a call would start immediately. */
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

  /** Moves a call that waits here with that key, behind that rank, to another lane (or this one), as if it had arrived with that rank. */
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

  /** Starts waiting calls synchronously, one per free place, so that no other call overtakes them. */
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

/** Queue ordered by rank (0 first), then by arrival. Each key waits at most once. */
class RankedQueue<K, T> {
  readonly #ranks: Map<K, T>[] = [];

  add(key: K, rank: number, item: T): void {
    while (this.#ranks.length <= rank) this.#ranks.push(new Map());
    this.#ranks[rank]?.set(key, item);
  }

  /** Removes and returns the next item. */
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

  /** Removes and returns the item with this key that waits behind a rank; undefined if there is none. */
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
