import type { AuditStore } from '../../core/audit/audit-store.ts';
import { type ComplianceReport, complianceReport } from '../../core/compliance/compliance-report.ts';
import type { Framework } from '../../core/compliance/framework.ts';
import { type Measure, Measures, measuredKinds } from '../../core/compliance/measures.ts';
import type { ReportPeriod } from '../../core/compliance/period.ts';
import { trendStepOf } from '../../core/compliance/posture-trend.ts';
import type { Trust } from '../../core/messages/sender.ts';
import { firebreakVersion } from '../process/project-root.ts';
import { type AskedChains, clusterOf, type MeasuredChains, measureChains } from './workers/measure-chains.ts';
import { RecordsThreads, type ThreadParts } from './workers/records-thread.ts';

export interface MeasuredPeriod {
  readonly clusters: readonly string[];
  readonly measures: readonly Measure[];
  readonly records: { readonly counted: number; readonly leftOut: number };
}

/** Number of chains counted at once. */
const chainsAtOnce = 100;
/** Number of chains from which threads save more time than they take to start. */
const usualMany = 1_000;
/** A thread starts with the next chains while it waits for rows of the current ones. */
const partsAtOnce = 2;

/**
 * Counts the proven records of a period. Of millions it holds some thousands in memory.
 * @param since start of the period, inclusive, milliseconds since 1970; `until` is exclusive
 * @param onPart called occasionally with the progress: a share from 0 to 1
 * @param threads for many records: they use the same keys and the same database
 */
export async function measurePeriod({
  store,
  trust,
  since,
  until,
  cluster,
  onPart,
  threads: parts,
  manyChains = usualMany,
}: {
  readonly store: Pick<AuditStore, 'chainsWith' | 'proofsOf'>;
  readonly trust: Trust;
  readonly since: number;
  readonly until: number;
  /** Count only records of this cluster. */
  readonly cluster?: string | undefined;
  readonly onPart?: ((share: number) => void) | undefined;
  readonly threads?: ThreadParts | undefined;
  /** Number of chains from which threads are used. */
  readonly manyChains?: number;
}): Promise<MeasuredPeriod> {
  const period = { since: new Date(since).toISOString(), until: new Date(until).toISOString() };
  const by = trendStepOf({ since, until });
  const all = (await store.chainsWith({ ...period, kinds: measuredKinds }))
    .filter((chain) => cluster === undefined || clusterOf(chain) === cluster)
    .sort();
  const measures = new Measures({ by });
  const clusters = new Set<string>();
  let [chains, counted, leftOut] = [0, 0, 0];
  const take = (measured: MeasuredChains): void => {
    measures.join(measured.counted);
    for (const one of measured.clusters) clusters.add(one);
    counted += measured.records.counted;
    leftOut += measured.records.leftOut;
    chains = Math.min(all.length, chains + chainsAtOnce);
    onPart?.(chains / all.length);
  };
  const threads =
    parts && all.length >= manyChains ? new RecordsThreads<AskedChains, MeasuredChains>('measure-main', parts) : undefined;
  try {
    const running: Promise<MeasuredChains>[] = [];
    for (let from = 0; from < all.length; from += chainsAtOnce) {
      const asked = { chains: all.slice(from, from + chainsAtOnce), ...period, by };
      const one = threads ? threads.ask(asked) : measureChains(asked, { store, trust });
      // The error is reported where the promise is awaited.
      one.catch(() => undefined);
      running.push(one);
      // In order, because the first records are named.
      const [first] = running.length < (threads?.count ?? 1) * partsAtOnce ? [] : running.splice(0, 1);
      if (first) take(await first);
    }
    for (const one of running) take(await one);
  } finally {
    await threads?.close();
  }
  return { clusters: [...clusters].sort(), measures: measures.all(), records: { counted, leftOut } };
}

/** Returns what the records of a period show for a framework; if the period is not over, until now. */
export async function reportOfPeriod({
  framework,
  period,
  ...read
}: Pick<Parameters<typeof measurePeriod>[0], 'store' | 'trust' | 'cluster' | 'onPart' | 'threads'> & {
  readonly framework: Framework;
  readonly period: ReportPeriod;
}): Promise<ComplianceReport> {
  const now = Date.now();
  const until = Math.min(period.until, now);
  const measured = await measurePeriod({ ...read, since: period.since, until });
  return complianceReport({
    framework,
    ...measured,
    ...(read.cluster !== undefined && { onlyCluster: read.cluster }),
    since: new Date(period.since).toISOString(),
    until: new Date(Math.max(until, period.since)).toISOString(),
    madeAt: new Date(now).toISOString(),
    program: `firebreak ${firebreakVersion()}`,
  });
}
