import type { Queries } from '../queries.ts';
import { textOf } from '../row.ts';

/** Which report of which period was delivered. Only one process at a time works on a report. */
export interface ReportDeliveries {
  /** Period name → when its report was delivered (ISO 8601). */
  of(name: string): Promise<ReadonlyMap<string, string>>;
  /** False if it is already delivered, or another process is working on it. */
  claim(delivery: { readonly name: string; readonly period: string; readonly holder: string }): Promise<boolean>;
  /** Marks it as delivered: it is no longer due. */
  delivered(delivery: { readonly name: string; readonly period: string; readonly holder: string }): Promise<void>;
  /** Allows another attempt. */
  release(delivery: { readonly name: string; readonly period: string; readonly holder: string }): Promise<void>;
}

/** Longer than a yearly report takes. */
const heldMs = 3_600_000;

export function createReportDeliveries(
  database: Queries,
  { now = Date.now }: { readonly now?: () => number } = {},
): ReportDeliveries {
  const at = (ms = now()): string => new Date(ms).toISOString();
  return {
    of: async (name) => {
      const rows = await database.all(
        `SELECT period, delivered_at FROM report_deliveries WHERE name = $1 AND delivered_at <> ''`,
        [name],
      );
      return new Map(rows.map((row) => [textOf(row, 'period'), textOf(row, 'delivered_at')]));
    },
    claim: async ({ name, period, holder }) => {
      const held = await database.all(
        `INSERT INTO report_deliveries (name, period, holder, held_until, delivered_at) VALUES ($1, $2, $3, $4, '')
         ON CONFLICT (name, period) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
         WHERE report_deliveries.delivered_at = '' AND report_deliveries.held_until < $5 RETURNING name`,
        [name, period, holder, at(now() + heldMs), at()],
      );
      return held.length > 0;
    },
    delivered: async ({ name, period, holder }) => {
      await database.all('UPDATE report_deliveries SET delivered_at = $4 WHERE name = $1 AND period = $2 AND holder = $3', [
        name,
        period,
        holder,
        at(),
      ]);
    },
    release: async ({ name, period, holder }) => {
      await database.all(`UPDATE report_deliveries SET held_until = '' WHERE name = $1 AND period = $2 AND holder = $3`, [
        name,
        period,
        holder,
      ]);
    },
  };
}
