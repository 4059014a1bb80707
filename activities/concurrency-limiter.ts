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
  /** A call that is cancelled while it waits gives up its turn, and rejects with the reason. */
  readonly signal?: AbortSignal;
}

/** Lets a call begin in a place of the given lane. */
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

  /** Number of calls that have a place. */
  get running(): number {
    return this.#taken;
  }

  /** Number of calls that wait for one. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Begins the call at once if there is a place. It runs in its caller's asynchronous context, whichever call made way for it. */
  async run<T>(call: () => Promise<T>, { key, rank = 0, signal }: Turn = {}): Promise<T> {
    const limiter = this.isFree ? this.#take() : await this.#wait(key ?? Symbol('turn'), rank, signal);
    const began = this.#now();
    try {
      return await call();
    } finally {
      limiter.#leave(this.#now() - began);
    }
  }

  /** Moves a call that waits here with that key, behind that rank, to another lane (or this one), as if it had arrived with that rank. */
  raise(key: string, rank: number, to: ConcurrencyLimiter): void {
    const begin = this.#waiting.withdraw(key, rank);
    if (begin === undefined) return;
    if (to.isFree) begin(to.#take());
    else to.#waiting.add(key, rank, begin);
  }

  #take(): this {
    this.#taken += 1;
    return this;
  }

  #wait(key: string | symbol, rank: number, signal?: AbortSignal): Promise<ConcurrencyLimiter> {
    signal?.throwIfAborted();
    return new Promise((begin, fail) => {
      const leave = (): void => {
        this.#waiting.withdraw(key);
        fail(signal?.reason);
      };
      signal?.addEventListener('abort', leave, { once: true });
      this.#waiting.add(key, rank, (limiter) => {
        signal?.removeEventListener('abort', leave);
        begin(limiter);
      });
    });
  }

  #leave(tookMs: number): void {
    if (this.#adaptive) this.#adapt(tookMs);
    if (this.#places >= 1) this.#handOn();
    else setTimeout(() => this.#handOn(), Math.min(longestRestMs, tookMs * (1 / this.#places - 1))).unref();
  }

  get #open(): number {
    return Math.max(1, Math.floor(this.#places));
  }

  /** Hands free places to waiting calls at once, so that no other call overtakes them. */
  #handOn(): void {
    this.#taken -= 1;
    while (this.isFree) {
      const begin = this.#waiting.shift();
      if (begin === undefined) return;
      begin(this.#take());
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

  get size(): number {
    return this.#ranks.reduce((sum, { size }) => sum + size, 0);
  }

  add(key: K, rank: number, item: T): void {
    while (this.#ranks.length <= rank) this.#ranks.push(new Map());
    this.#ranks[rank]?.set(key, item);
  }

  /** Removes and returns the next item. */
  shift(): T | undefined {
    for (const waiting of this.#ranks) {
      for (const [key, item] of waiting) {
        waiting.delete(key);
        return item;
      }
    }
    return undefined;
  }

  /** Removes and returns the item with this key, if it waits behind the given rank; undefined if there is none. */
  withdraw(key: K, behind = -1): T | undefined {
    for (const waiting of this.#ranks.slice(behind + 1)) {
      const item = waiting.get(key);
      if (item === undefined) continue;
      waiting.delete(key);
      return item;
    }
    return undefined;
  }
}
