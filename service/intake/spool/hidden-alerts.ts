import { type Database, open, type RootDatabase } from 'lmdb';
import type { Alert } from '../../../core/alert/alert.ts';
import type { Ledger } from './ledger.ts';
import { partOfBatch } from './write-group.ts';

/** How many alerts a suppression has hidden, or Firebreak's own steps have caused. */
export interface HiddenCount {
  readonly count: number;
  /** ISO 8601, UTC; by the intake's clock. */
  readonly firstSeen: string;
  readonly lastSeen: string;
}

export interface HiddenAlert {
  readonly at: string;
  readonly alert: Alert;
  /** The incident it would have gone to, or to which it was sent as a note. */
  readonly incident: string;
}

type HiddenKey = [by: string, place: number];

/** Maximum number of alerts kept for each; the count continues. */
const mostKept = 500;
const keptDays = 60;
const dayMs = 86_400_000;

/** The name under which alerts caused by Firebreak's own steps are hidden. */
export const ownSteps = 'own-steps';

/** Alerts that start nothing: counted exactly, with the newest kept in the spool's database. */
export class HiddenAlerts {
  readonly #root: RootDatabase;
  readonly #ledger: Ledger;
  readonly #stored: Database<HiddenCount, string>;
  readonly #alerts: Database<HiddenAlert, HiddenKey>;
  readonly #counts = new Map<string, HiddenCount>();

  constructor(root: RootDatabase, ledger: Ledger) {
    this.#root = root;
    this.#ledger = ledger;
    this.#stored = root.openDB({ name: 'hidden-counts' });
    this.#alerts = root.openDB({ name: 'hidden' });
    for (const { key, value } of this.#stored.getRange({})) this.#counts.set(key, value);
  }

  /** Resolves when the alert is on disk: counted, stored, and its id remembered. */
  async add(by: string, hidden: HiddenAlert): Promise<void> {
    const before = this.#counts.get(by);
    const count: HiddenCount = {
      count: (before?.count ?? 0) + 1,
      firstSeen: before?.firstSeen ?? hidden.at,
      lastSeen: hidden.at,
    };
    this.#counts.set(by, count);
    await this.#root.batch(() => {
      partOfBatch(this.#stored.put(by, count));
      partOfBatch(this.#alerts.put([by, count.count], hidden));
      partOfBatch(this.#alerts.remove([by, count.count - mostKept]));
      this.#ledger.put(hidden.alert.id, hidden.incident);
    });
  }

  counts(): ReadonlyMap<string, HiddenCount> {
    return this.#counts;
  }

  count(by: string): HiddenCount | undefined {
    return this.#counts.get(by);
  }

  /** Newest first. */
  alerts(by: string, limit = mostKept): readonly HiddenAlert[] {
    const range = { start: [by, Number.MAX_SAFE_INTEGER] as HiddenKey, end: [by, 0] as HiddenKey, reverse: true, limit };
    return [...this.#alerts.getRange(range)].map(({ value }) => value);
  }

  /** Removes what was hidden by suppressions that no longer hide anything. */
  async forget(now = Date.now()): Promise<void> {
    for (const [by, { lastSeen }] of this.#counts) {
      if (Date.parse(lastSeen) > now - keptDays * dayMs) continue;
      const keys = [...this.#alerts.getKeys({ start: [by, 0], end: [by, Number.MAX_SAFE_INTEGER] })];
      await this.#root.batch(() => {
        for (const key of keys) partOfBatch(this.#alerts.remove(key));
        partOfBatch(this.#stored.remove(by));
      });
      this.#counts.delete(by);
    }
  }
}

/** Reads what the command line shows, from a spool that another process may be writing. Undefined if there is no spool. */
export async function readHidden(
  directory: string,
  by: readonly string[],
): Promise<ReadonlyMap<string, { readonly count: HiddenCount; readonly alerts: readonly HiddenAlert[] }> | undefined> {
  let root: RootDatabase;
  try {
    root = open({ path: directory, readOnly: true, maxDbs: 16 });
  } catch {
    return undefined;
  }
  try {
    const counts: Database<HiddenCount, string> = root.openDB({ name: 'hidden-counts' });
    const alerts: Database<HiddenAlert, HiddenKey> = root.openDB({ name: 'hidden' });
    const found = by.flatMap((one) => {
      const count = counts.get(one);
      if (count === undefined) return [];
      const range = {
        start: [one, Number.MAX_SAFE_INTEGER] as HiddenKey,
        end: [one, 0] as HiddenKey,
        reverse: true,
        limit: mostKept,
      };
      return [[one, { count, alerts: [...alerts.getRange(range)].map(({ value }) => value) }] as const];
    });
    return new Map(found);
  } catch {
    // An intake that has not hidden anything yet has no such lists.
    return new Map();
  } finally {
    await root.close();
  }
}
