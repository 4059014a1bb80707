import { WouldHaveRecords, type WouldHaveReport, wouldHaveKinds } from '../../core/assessment/would-have.ts';
import { takeProven } from '../../core/audit/audit-check.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import type { Trust } from '../../core/messages/sender.ts';

/** Based only on proven records. */
export interface ProvenWouldHave extends WouldHaveReport {
  readonly leftOut: number;
}

/** Reads what mode `contain` would have done in a period, by the records. */
export async function readWouldHave({
  store,
  trust,
  period,
  isShown,
}: {
  readonly store: Pick<AuditStore, 'eachOfKinds'>;
  readonly trust: Trust;
  /** Milliseconds since 1970; `until` is exclusive. */
  readonly period: { readonly since: number; readonly until: number };
  /** Whose namespaces are shown. Absent: all. */
  readonly isShown?: (namespace: string | null) => boolean;
}): Promise<ProvenWouldHave> {
  const told = new WouldHaveRecords();
  const { since, until } = period;
  const pages = store.eachOfKinds({ kinds: wouldHaveKinds, since: new Date(since).toISOString() });
  const leftOut = await takeProven(pages, trust, (record) => {
    if (Date.parse(record.at) < until) told.add(record);
  });
  return { ...told.report(period, isShown), leftOut };
}
