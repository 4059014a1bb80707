import { provenOf } from '../../core/audit/audit-check.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import { type ComplianceReport, complianceReport } from '../../core/compliance/compliance-report.ts';
import type { Framework } from '../../core/compliance/framework.ts';
import { type Measure, Measures, measuredKinds } from '../../core/compliance/measures.ts';
import type { ReportPeriod } from '../../core/compliance/period.ts';
import { clusterOfWorkflow } from '../../core/messages/message.ts';
import type { Trust } from '../../core/messages/sender.ts';
import { firebreakVersion } from '../process/project-root.ts';

const dayMs = 86_400_000;

export interface MeasuredPeriod {
  readonly clusters: readonly string[];
  readonly measures: readonly Measure[];
  readonly records: { readonly counted: number; readonly leftOut: number };
}

/**
 * Counts the proven records of a period, a day at a time: of a year with millions it holds one day in memory.
 * @param since from it on, milliseconds since 1970; `until` is not in it
 * @param onDay after each day, for whoever waits: a share from 0 to 1
 */
export async function measurePeriod({
  store,
  trust,
  since,
  until,
  cluster,
  onDay,
}: {
  readonly store: Pick<AuditStore, 'recordsOf'>;
  readonly trust: Trust;
  readonly since: number;
  readonly until: number;
  /** Only its records. */
  readonly cluster?: string | undefined;
  readonly onDay?: (share: number) => void;
}): Promise<MeasuredPeriod> {
  const measures = new Measures();
  const clusters = new Set<string>();
  let counted = 0;
  let leftOut = 0;
  for (let from = since; from < until; from += dayMs) {
    const to = Math.min(from + dayMs, until);
    const rows = await store.recordsOf({
      kinds: measuredKinds,
      since: new Date(from).toISOString(),
      until: new Date(to).toISOString(),
    });
    const proven = provenOf(rows, trust);
    leftOut += proven.leftOut;
    for (const record of proven.records) {
      const of = clusterOf(record.chain);
      if (cluster !== undefined && of !== cluster) continue;
      if (of !== undefined) clusters.add(of);
      measures.add(record);
      counted += 1;
    }
    onDay?.((to - since) / (until - since));
  }
  return { clusters: [...clusters].sort(), measures: measures.all(), records: { counted, leftOut } };
}

/** What the records of a period show of a framework: of one that is not over, until now. */
export async function reportOfPeriod({
  framework,
  period,
  ...read
}: Pick<Parameters<typeof measurePeriod>[0], 'store' | 'trust' | 'cluster' | 'onDay'> & {
  readonly framework: Framework;
  readonly period: ReportPeriod;
}): Promise<ComplianceReport> {
  const now = Date.now();
  const until = Math.min(period.until, now);
  const measured = await measurePeriod({ ...read, since: period.since, until });
  return complianceReport({
    framework,
    ...measured,
    since: new Date(period.since).toISOString(),
    until: new Date(Math.max(until, period.since)).toISOString(),
    madeAt: new Date(now).toISOString(),
    program: `firebreak ${firebreakVersion()}`,
  });
}

/** `incident/CLUSTER/…` and `control/CLUSTER@…`; a desk's chain is of none. */
function clusterOf(chain: string): string | undefined {
  return chain.startsWith('desk/') ? undefined : clusterOfWorkflow(chain)?.split('@')[0];
}
