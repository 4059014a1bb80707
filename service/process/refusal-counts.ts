/** Requests to a door that were refused in a period before the sender was authenticated. */
export interface RefusedAtDoor {
  readonly door: string;
  /** Counts by reason, in our own words. */
  readonly counts: Readonly<Record<string, number>>;
  /** ISO 8601, UTC. */
  readonly from: string;
  readonly until: string;
}

const windowMs = 60_000;

/**
 * Strangers may send as many requests as they like: refusals are counted, and reported once a minute. One record per refusal would let them fill the records,
 * and one line per refusal the log.
 */
export class RefusalCounts {
  readonly #tell: (refused: RefusedAtDoor) => void;
  readonly #now: () => number;
  readonly #everyMs: number;
  readonly #doors = new Map<string, { readonly from: number; readonly counts: Map<string, number> }>();
  #telling: NodeJS.Timeout | undefined;

  constructor(options: {
    readonly tell: (refused: RefusedAtDoor) => void;
    readonly everyMs?: number;
    readonly now?: () => number;
  }) {
    const { tell, everyMs = windowMs, now = Date.now } = options;
    this.#tell = tell;
    this.#everyMs = everyMs;
    this.#now = now;
  }

  count(door: string, reason: string): void {
    const known = this.#doors.get(door) ?? { from: this.#now(), counts: new Map<string, number>() };
    known.counts.set(reason, (known.counts.get(reason) ?? 0) + 1);
    this.#doors.set(door, known);
    this.#telling ??= setTimeout(() => this.flush(), this.#everyMs).unref();
  }

  /** Reports what has not been reported yet. */
  flush(): void {
    clearTimeout(this.#telling);
    this.#telling = undefined;
    const until = new Date(this.#now()).toISOString();
    for (const [door, { from, counts }] of this.#doors)
      this.#tell({ door, counts: Object.fromEntries(counts), from: new Date(from).toISOString(), until });
    this.#doors.clear();
  }
}
