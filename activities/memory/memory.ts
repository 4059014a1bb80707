/** One thing that is remembered, and since when. */
export interface Remembered<Value> {
  readonly value: Value;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Where a memory outlives its process. Writes are begun in their order and not waited for. */
export interface MemoryKeeper<Value> {
  /** The oldest first. */
  load(): readonly (readonly [string, Remembered<Value>])[];
  /** Since when nothing was forgotten before its time. */
  since(): number;
  put(key: string, entry: Remembered<Value>): void;
  remove(key: string): void;
  keepSince(since: number): void;
}

/** Values by name, read from the disk and not held in memory. Writes are begun in their order and not waited for. */
export interface DurableValues<Value> {
  keys(): readonly string[];
  get(key: string): Value | undefined;
  put(key: string, value: Value): void;
  remove(key: string): void;
}

/** Values that have to be on the disk before something else is done. */
export interface StoredValues<Value> {
  get(key: string): Value | undefined;
  /** Resolves when it is there. @throws FB_ERR_UNAVAILABLE where it cannot be written */
  store(key: string, value: Value): Promise<void>;
}

/**
 * What a process remembers of its own, so that it need not believe a call: bounded in number and in time. It knows what it may have forgotten:
 * `since` says from when on it remembers everything that is young enough.
 */
export class Memory<Value> {
  readonly #most: number;
  readonly #retentionMs: number;
  readonly #keeper: MemoryKeeper<Value> | undefined;
  readonly #entries: Map<string, Remembered<Value>>;
  #since: number;

  /** Without a keeper it lasts as long as the process. */
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

  /** The newest is the last to be forgotten. */
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
