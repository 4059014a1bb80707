/** A thread that checks rows for `startCheckWorkers`, with a connection of its own to the database. */
import { parentPort, workerData } from 'node:worker_threads';
import type { ChainHead } from '../../../core/audit/audit.ts';
import { headsIn } from '../../../core/audit/head-history.ts';
import type { RecordCut } from '../../../core/audit/record-cut.ts';
import { type ErrorCode, FirebreakError } from '../../../core/errors.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openAsIs } from '../../../integrations/database/database.ts';
import { type AuditKeys, trustInKeys } from '../audit-trust.ts';
import { type ChainResult, RowsCheck } from './check-rows.ts';

/** What the thread is started with. */
export interface CheckParts {
  readonly url: string;
  readonly keys: AuditKeys;
}

/** A chain of which a range is thought to have rows. */
export interface ExpectedChain {
  readonly chain: string;
  readonly head?: ChainHead;
  /** For `headsIn`; absent where no checkpoint names the chain. */
  readonly stated?: Uint8Array | undefined;
  readonly digest?: string | undefined;
  readonly cuts?: readonly Pick<RecordCut, 'to' | 'after'>[] | undefined;
  readonly removals?: ReadonlySet<number> | undefined;
}

/** All chains behind one and up to another, in the database's order. */
export interface ChainRange {
  readonly after?: string | undefined;
  readonly upTo?: string | undefined;
  readonly expected: readonly ExpectedChain[];
}

export interface RangeResult {
  /** Of chains that are as they should be. */
  readonly sound: readonly ChainResult[];
  /** Something is odd about these, or nobody expected them: to be looked at once more, by whoever knows all. */
  readonly odd: readonly string[];
}

export type CheckRequest = { readonly kind: 'range'; readonly range: ChainRange } | { readonly kind: 'end' };

export interface CheckAnswer {
  readonly id: number;
  readonly value?: unknown;
  readonly problem?: { readonly code: ErrorCode; readonly detail: string };
}

const { url, keys }: CheckParts = workerData;
const database = await openAsIs({ url });
const store = createAuditStore(database);
const trusted = trustInKeys(keys);

async function checkRange({ expected, ...range }: ChainRange): Promise<RangeResult> {
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
  for await (const result of check.each(store.rowsBetween(range))) take(result);
  for (const chain of [...byChain.keys()]) take(check.ofNone(chain));
  return { sound, odd };
}

async function answer(request: CheckRequest): Promise<unknown> {
  switch (request.kind) {
    case 'range':
      return checkRange(request.range);
    case 'end':
      return database.close();
  }
}

parentPort?.on('message', async ({ id, request }: { readonly id: number; readonly request: CheckRequest }) => {
  const given = await answer(request).then(
    (value): CheckAnswer => ({ id, value }),
    (error): CheckAnswer => ({ id, problem: problemOf(error) }),
  );
  parentPort?.postMessage(given);
  if (request.kind === 'end') parentPort?.close();
});

/** An error of ours is no longer one on the other side. */
function problemOf(error: unknown): NonNullable<CheckAnswer['problem']> {
  if (error instanceof FirebreakError) return { code: error.code, detail: error.detail };
  return { code: 'FB_ERR_INTERNAL', detail: error instanceof Error ? error.message : 'a check of records failed' };
}
