/** A thread that checks rows for `startCheckWorkers`. */
import type { ChainHead } from '../../../core/audit/audit.ts';
import { isDecision } from '../../../core/audit/audit-decisions.ts';
import type { AuditStore } from '../../../core/audit/audit-store.ts';
import { checkpointDigest } from '../../../core/audit/checkpoint.ts';
import { headsIn } from '../../../core/audit/head-history.ts';
import type { RecordCut } from '../../../core/audit/record-cut.ts';
import { type ChainResult, RowsCheck } from './check-rows.ts';
import { answerRequests } from './records-thread.ts';

/** A chain that is expected to have rows in a range. */
export interface ExpectedChain {
  readonly chain: string;
  readonly head?: ChainHead;
  /** For `headsIn`; absent if no checkpoint names the chain. */
  readonly stated?: Uint8Array | undefined;
  readonly digest?: string | undefined;
  readonly cuts?: readonly Pick<RecordCut, 'to' | 'after'>[] | undefined;
  readonly removals?: ReadonlySet<number> | undefined;
}

/** All chains after one and up to another, in the database's order. */
export interface ChainRange {
  readonly after?: string | undefined;
  readonly upTo?: string | undefined;
  readonly expected: readonly ExpectedChain[];
}

export interface RangeResult {
  /** Chains without problems. */
  readonly sound: readonly ChainResult[];
  /** Chains with something odd, or that were not expected: to be checked again by a caller that has all the information. */
  readonly odd: readonly string[];
}

/** A checkpoint's row. `digest` is absent if the row is not in the format that we write. */
export interface CheckpointRow {
  readonly number: number;
  readonly text: string;
  readonly digest?: string;
}

/** After one number, and up to another if there is one. */
export interface CheckpointRange {
  readonly after: number;
  readonly upTo?: number | undefined;
}

export type CheckRequest = { readonly range: ChainRange } | { readonly checkpoints: CheckpointRange };
export type CheckAnswer = RangeResult | readonly CheckpointRow[];

await answerRequests<CheckRequest, CheckAnswer>(({ store, ...trusted }) => async (request) => {
  if ('range' in request) return checkRange(request.range, store, trusted);
  const rows = await store.checkpoints(request.checkpoints);
  return rows.map(({ number, text, signed }) => (signed ? { number, text, digest: checkpointDigest(signed) } : { number, text }));
});

async function checkRange(
  { expected, ...range }: ChainRange,
  store: Pick<AuditStore, 'eachRow'>,
  trusted: ConstructorParameters<typeof RowsCheck>[0],
): Promise<RangeResult> {
  const byChain = new Map(expected.map((one) => [one.chain, one]));
  const check = new RowsCheck(trusted, (chain) => {
    const { head, stated, digest, cuts = [], removals = new Set<number>() } = byChain.get(chain) ?? {};
    return { head, stated: stated ? headsIn(stated) : [], digest, cuts, removals };
  });
  const sound: ChainResult[] = [];
  const odd: string[] = [];
  const take = (result: ChainResult): void => {
    if (byChain.delete(result.chain) && result.findings.length === 0) sound.push(result);
    else odd.push(result.chain);
  };
  // Anything that looks odd only because the other bodies are missing is read again, with all of them.
  for await (const result of check.each(store.eachRow(isDecision, range))) take(result);
  for (const chain of [...byChain.keys()]) take(check.ofNone(chain));
  return { sound, odd };
}
