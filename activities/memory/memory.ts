/** One thing that is remembered, and since when. */
export interface Remembered<Value> {
  readonly value: Value;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Where a memory outlives its process. Writes are started in order and not awaited. */
export interface MemoryKeeper<Value> {
  /** Oldest first. */
  load(): readonly (readonly [string, Remembered<Value>])[];
  /** The time since when nothing was forgotten early. */
  since(): number;
  put(key: string, entry: Remembered<Value>): void;
  remove(key: string): void;
  keepSince(since: number): void;
}

/** Values by name, read from disk and not held in memory. Writes are started in order and not awaited. */
export interface DurableValues<Value> {
  keys(): readonly string[];
  get(key: string): Value | undefined;
  put(key: string, value: Value): void;
  remove(key: string): void;
}

/** Values that have to be on disk before anything else is done. */
export interface StoredValues<Value> {
  get(key: string): Value | undefined;
  /** Resolves when the value is on disk. @throws FB_ERR_UNAVAILABLE if it cannot be written */
  store(key: string, value: Value): Promise<void>;
}

/**
 * What a process itself remembers, so that it need not believe a call: bounded in number and in time. It knows what it may have forgotten: `since` says from
 * when on it remembers everything that is young enough.
 */
export class Memory<Value> {
  readonly #most: number;
  readonly #retentionMs: number;
  readonly #keeper: MemoryKeeper<Value> | undefined;
  readonly #entries: Map<string, Remembered<Value>>;
  #since: number;

  /** Without a keeper, it lasts as long as the process. */
  constructor(options: {
    readonly most: number;
    readonly retentionMs: number;
    readonly keeper?: MemoryKeeper<Value> | undefined;
  }) {
    this.#most = options.most;
    this.#retentionMs = options.retentionMs;
    this.#keeper = options.keeper;
    this.#entries = new Map(this.#keeper?.load() ?? []);
    this.#since = this.#keeper?.since() ?? 0;
  }

  get since(): number {
    return this.#since;
  }

  get(key: string): Value | undefined {
    return this.#entries.get(key)?.value;
  }

  /** When it was set last, in milliseconds since 1970. */
  at(key: string): number | undefined {
    return this.#entries.get(key)?.at;
  }

  *entries(): Generator<readonly [string, Value]> {
    for (const [key, { value }] of this.#entries) yield [key, value];
  }

  delete(key: string): void {
    if (this.#entries.delete(key)) this.#keeper?.remove(key);
  }

  /** The newest is forgotten last. */
  set(key: string, value: Value, now = Date.now()): void {
    const entry: Remembered<Value> = { value, at: now };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    this.#keeper?.put(key, entry);
    for (const [oldest, { at }] of this.#entries) {
      const isOld = now - at > this.#retentionMs;
      if (!isOld && this.#entries.size <= this.#most) break;
      this.#entries.delete(oldest);
      this.#keeper?.remove(oldest);
      if (isOld) continue;
      this.#since = Math.max(this.#since, at);
      this.#keeper?.keepSince(this.#since);
    }
  }
}
