import type { Database, RootDatabase } from 'lmdb';

/** Where an alert went. */
export interface LedgerEntry {
  readonly incident: string;
  /** The incident's run, known once Temporal has told it. */
  readonly run?: string;
}

type LedgerKey = [day: number, alertId: string];

const dayMs = 86_400_000;
/** Senders give up long before. */
const keptDays = 7;
const forgottenAtOnce = 2_000;

/** Remembers for seven days which alert ids were accepted, so that a redelivery starts nothing. */
export class Ledger {
  readonly #root: RootDatabase;
  readonly #ids: Database<LedgerEntry, LedgerKey>;
  readonly #now: () => number;

  constructor(root: RootDatabase, now: () => number = Date.now) {
    this.#root = root;
    this.#ids = root.openDB({ name: 'ledger' });
    this.#now = now;
  }

  get(alertId: string): LedgerEntry | undefined {
    return this.#find(alertId)?.entry;
  }

  /** To be called within a batch of the database: it is written with that batch, or not at all. */
  put(alertId: string, entry: LedgerEntry): void {
    void this.#ids.put([this.#find(alertId)?.day ?? this.#today(), alertId], entry);
  }

  /** Forgets what is older than seven days, a little at a time. */
  async forget(): Promise<void> {
    for (;;) {
      const end: LedgerKey = [this.#today() - keptDays, ''];
      const old = [...this.#ids.getKeys({ end, limit: forgottenAtOnce })];
      if (old.length === 0) return;
      await this.#root.batch(() => {
        for (const key of old) void this.#ids.remove(key);
      });
    }
  }

  #find(alertId: string): { readonly day: number; readonly entry: LedgerEntry } | undefined {
    const today = this.#today();
    for (let day = today; day >= today - keptDays; day -= 1) {
      const entry = this.#ids.get([day, alertId]);
      if (entry !== undefined) return { day, entry };
    }
    return undefined;
  }

  #today(): number {
    return Math.floor(this.#now() / dayMs);
  }
}
