import { type AuditRecord, recordLink } from '../../core/audit/audit.ts';
import { originProblems } from '../../core/audit/audit-check.ts';
import type { AuditStore, StoredRecord } from '../../core/audit/audit-store.ts';
import { SignaturesAhead } from '../../core/audit/signatures-ahead.ts';
import { type ComplianceReport, complianceReport } from '../../core/compliance/compliance-report.ts';
import type { Framework } from '../../core/compliance/framework.ts';
import { type Measure, Measures, measuredKinds } from '../../core/compliance/measures.ts';
import type { ReportPeriod } from '../../core/compliance/period.ts';
import { trendStepOf } from '../../core/compliance/posture-trend.ts';
import { clusterOfWorkflow } from '../../core/messages/message.ts';
import type { Trust } from '../../core/messages/sender.ts';
import { firebreakVersion } from '../process/project-root.ts';

export interface MeasuredPeriod {
  readonly clusters: readonly string[];
  readonly measures: readonly Measure[];
  readonly records: { readonly counted: number; readonly leftOut: number };
}

/**
 * Counts the proven records of a period. Chains are read whole, some at a time: whose a record is one signature shows for many, and of millions it holds some
 * thousand in memory.
 * @param since from it on, milliseconds since 1970; `until` is not in it
 * @param onPart now and then, for whoever waits: a share from 0 to 1
 */
export async function measurePeriod({
  store,
  trust,
  since,
  until,
  cluster,
  onPart,
}: {
  readonly store: Pick<AuditStore, 'chainsWith' | 'eachRow'>;
  readonly trust: Trust;
  readonly since: number;
  readonly until: number;
  /** Only its records. */
  readonly cluster?: string | undefined;
  readonly onPart?: (share: number) => void;
}): Promise<MeasuredPeriod> {
  const measures = new Measures({ by: trendStepOf({ since, until }) });
  const clusters = new Set<string>();
  const [from, to] = [since, until].map((time) => new Date(time).toISOString());
  let counted = 0;
  const add = (records: readonly AuditRecord[]): void => {
    for (const record of records) {
      const of = clusterOf(record.chain);
      if (of !== undefined) clusters.add(of);
      measures.add(record);
      counted += 1;
    }
  };
  const asked = { kinds: measuredKinds, since: from ?? '', until: to ?? '' };
  const all = (await store.chainsWith(asked)).filter((chain) => cluster === undefined || clusterOf(chain) === cluster).sort();
  const ahead = new SignaturesAhead(trust);
  const counts = new CountedOnce(asked, ahead);
  for await (const rows of ahead.each(store.eachRow(all)))
    for (const [chain, ofChain] of Map.groupBy(rows, (row) => row.chain)) {
      add(counts.of(chain, ofChain));
      onPart?.(counts.chains / all.length);
    }
  return { clusters: [...clusters].sort(), measures: measures.all(), records: { counted, leftOut: counts.leftOut } };
}

/** What the records of a period show of a framework: of one that is not over, until now. */
export async function reportOfPeriod({
  framework,
  period,
  ...read
}: Pick<Parameters<typeof measurePeriod>[0], 'store' | 'trust' | 'cluster' | 'onPart'> & {
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

const isMeasured: ReadonlySet<string> = new Set(measuredKinds);

/** Of rows as anybody can have written them, the records of a period that count. */
class CountedOnce {
  readonly #since: string;
  readonly #until: string;
  readonly #trust: Trust;
  /** Links of the chain that is read: copies stand in the same one. */
  readonly #seen = new Set<string>();
  #chain: string | undefined;
  /** How many have begun. */
  chains = 0;
  /** Rows that are not proven, and copies of others. */
  leftOut = 0;

  constructor({ since, until }: { readonly since: string; readonly until: string }, trust: Trust) {
    this.#since = since;
    this.#until = until;
    this.#trust = trust;
  }

  /** Of a chain, in its order; all parts of it come one after another. */
  of(chain: string, rows: readonly StoredRecord[]): readonly AuditRecord[] {
    if (chain !== this.#chain) {
      this.#seen.clear();
      this.#chain = chain;
      this.chains += 1;
    }
    const problems = originProblems(rows, this.#trust);
    return rows.flatMap(({ signed }, index) => {
      if (signed && !this.#isWanted(signed.record)) return [];
      const known = this.#seen.size;
      if (signed && problems[index] === undefined) this.#seen.add(recordLink(signed));
      if (signed && this.#seen.size > known) return signed.record;
      this.leftOut += 1;
      return [];
    });
  }

  #isWanted({ kind, at }: AuditRecord): boolean {
    return isMeasured.has(kind) && at >= this.#since && at < this.#until;
  }
}

/** `incident/CLUSTER/…` and `control/CLUSTER@…`; a desk's chain is of none. */
function clusterOf(chain: string): string | undefined {
  return chain.startsWith('desk/') ? undefined : clusterOfWorkflow(chain)?.split('@')[0];
}
