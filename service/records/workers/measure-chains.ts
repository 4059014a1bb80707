import { type AuditRecord, recordLink } from '../../../core/audit/audit.ts';
import { originProblems } from '../../../core/audit/audit-check.ts';
import type { AuditStore, BodyWanted, RecordProof } from '../../../core/audit/audit-store.ts';
import { SignaturesAhead } from '../../../core/audit/signatures-ahead.ts';
import { type Counted, Measures, measuredKinds } from '../../../core/compliance/measures.ts';
import type { TrendStep } from '../../../core/compliance/posture-trend.ts';
import { clusterOfWorkflow } from '../../../core/messages/message.ts';
import type { Trust } from '../../../core/messages/sender.ts';

/** Which records of some chains are counted. */
export interface AskedChains {
  readonly chains: readonly string[];
  /** ISO 8601, UTC; `until` is not in it. */
  readonly since: string;
  readonly until: string;
  /** What goes on over time is counted by it. */
  readonly by: TrendStep;
}

export interface MeasuredChains {
  readonly counted: Counted;
  readonly clusters: readonly string[];
  readonly records: { readonly counted: number; readonly leftOut: number };
}

/** Counts the proven records of some chains. They are read whole: whose a record is one signature shows for many. */
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

/** Of rows as anybody can have written them, the records that count. */
class CountedOnce {
  readonly #isWanted: BodyWanted;
  readonly #trust: Trust;
  /** Links of the chain that is read: copies stand in the same one. */
  readonly #seen = new Set<string>();
  #chain: string | undefined;
  /** Rows that are not proven, and copies of others. */
  leftOut = 0;

  constructor(isWanted: BodyWanted, trust: Trust) {
    this.#isWanted = isWanted;
    this.#trust = trust;
  }

  /** Of a chain, in its order; all parts of it come one after another. */
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

/** `incident/CLUSTER/…` and `control/CLUSTER@…`; a desk's chain is of none. */
export function clusterOf(chain: string): string | undefined {
  return chain.startsWith('desk/') ? undefined : clusterOfWorkflow(chain)?.split('@')[0];
}
