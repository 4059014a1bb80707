import { type AuditRecord, recordLink } from '../../../core/audit/audit.ts';
import { originProblems } from '../../../core/audit/audit-check.ts';
import type { AuditStore, BodyWanted, RecordProof } from '../../../core/audit/audit-store.ts';
import { SignaturesAhead } from '../../../core/audit/signatures-ahead.ts';
import { type Counted, Measures, measuredKinds } from '../../../core/compliance/measures.ts';
import type { TrendStep } from '../../../core/compliance/posture-trend.ts';
import { clusterOfWorkflow } from '../../../core/messages/message.ts';
import type { Trust } from '../../../core/messages/sender.ts';

/** The chains and the period whose records are counted. */
export interface AskedChains {
  readonly chains: readonly string[];
  /** ISO 8601, UTC; `until` is exclusive. */
  readonly since: string;
  readonly until: string;
  /** The step by which trends are counted. */
  readonly by: TrendStep;
}

export interface MeasuredChains {
  readonly counted: Counted;
  readonly clusters: readonly string[];
  readonly records: { readonly counted: number; readonly leftOut: number };
}

/** Counts the proven records of some chains. Chains are read in full, because one signature proves many records. */
export async function measureChains(
  { chains, since, until, by }: AskedChains,
  { store, trust }: { readonly store: Pick<AuditStore, 'proofsOf'>; readonly trust: Trust },
): Promise<MeasuredChains> {
  const measures = new Measures({ by });
  const clusters = new Set<string>();
  const isWanted: BodyWanted = ({ kind, at }) => isMeasured.has(kind) && at >= since && at < until;
  const ahead = new SignaturesAhead(trust);
  const counts = new CountedOnce(isWanted, ahead);
  let counted = 0;
  for await (const rows of ahead.each(store.proofsOf(chains, isWanted)))
    for (const [chain, ofChain] of Map.groupBy(rows, (row) => row.chain))
      for (const record of counts.of(chain, ofChain)) {
        const cluster = clusterOf(chain);
        if (cluster !== undefined) clusters.add(cluster);
        measures.add(record);
        counted += 1;
      }
  return { counted: measures.counted(), clusters: [...clusters], records: { counted, leftOut: counts.leftOut } };
}

const isMeasured: ReadonlySet<string> = new Set(measuredKinds);

/** Filters the records that count from rows that anybody could have written. */
class CountedOnce {
  readonly #isWanted: BodyWanted;
  readonly #trust: Trust;
  /** Links of the chain being read: copies are in the same chain. */
  readonly #seen = new Set<string>();
  #chain: string | undefined;
  /** Number of rows that are not proven, or are copies of others. */
  leftOut = 0;

  constructor(isWanted: BodyWanted, trust: Trust) {
    this.#isWanted = isWanted;
    this.#trust = trust;
  }

  /** Returns the records of a chain, in order; all parts of a chain must be passed consecutively. */
  of(chain: string, rows: readonly RecordProof[]): readonly AuditRecord[] {
    if (chain !== this.#chain) {
      this.#seen.clear();
      this.#chain = chain;
    }
    const links = rows.map(({ signed }) => signed && recordLink(signed));
    const problems = originProblems(rows, this.#trust, links);
    return rows.flatMap(({ signed }, index) => {
      if (signed && !this.#isWanted(signed.record)) return [];
      const known = this.#seen.size;
      const link = links[index];
      if (link !== undefined && problems[index] === undefined) this.#seen.add(link);
      if (signed && this.#seen.size > known) return signed.record;
      this.leftOut += 1;
      return [];
    });
  }
}

/** From `incident/CLUSTER/…` and `control/CLUSTER@…`; undefined for a desk's chain. */
export function clusterOf(chain: string): string | undefined {
  return chain.startsWith('desk/') ? undefined : clusterOfWorkflow(chain)?.split('@')[0];
}
