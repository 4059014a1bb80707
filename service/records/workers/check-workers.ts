import type { AuditStore } from '../../../core/audit/audit-store.ts';
import { checkpointWithDigest } from '../../../core/audit/checkpoint.ts';
import type { CheckpointChain } from '../../../core/audit/checkpoint-chain.ts';
import type {
  ChainRange,
  CheckAnswer,
  CheckpointRange,
  CheckpointRow,
  CheckRequest,
  ExpectedChain,
  RangeResult,
} from './check-main.ts';
import type { KnownOfChain } from './check-rows.ts';
import { RecordsThreads, type ThreadParts } from './records-thread.ts';

/** A thread starts with the next range while it waits for rows of this one. */
const rangesAtOnce = 2;

/**
 * Expected rows or chains per range, and exact number of checkpoints: with 250 checkpoints, waiting ones outlived two collections of the young generation, and
 * verify took half as much memory again.
 */
const usualRange = { rows: 5_000, chains: 500, checkpoints: 80 };

/** Threads for checks that would take the main thread minutes. */
export interface CheckWorkers {
  /**
   * Checks all existing rows, and the chains that have heads. Each chain is reported once, unless somebody writes meanwhile; odd ones have to be checked again.
   * @throws FB_ERR_UNAVAILABLE if the database cannot be read
   */
  checkAll(
    about: {
      readonly store: Pick<AuditStore, 'headsAfter'>;
      readonly checkpoints: CheckpointChain;
      readonly known: (chain: string) => Pick<KnownOfChain, 'cuts' | 'removals'>;
    },
    take: (result: RangeResult) => Promise<void>,
  ): Promise<void>;
  /** Like the method of the store. Threads prepare the next ones while these are checked: computing their digests takes longer than everything else. */
  checkpointsOf(store: Pick<AuditStore, 'checkpointShares'>): AuditStore['checkpoints'];
  close(): Promise<void>;
}

export function startCheckWorkers(parts: ThreadParts, rangeSize = usualRange): CheckWorkers {
  const threads = new RecordsThreads<CheckRequest, CheckAnswer>('check-main', parts);
  return {
    checkAll: async ({ store, checkpoints, known }, take) => {
      const running = new Set<Promise<void>>();
      for await (const range of rangesOf(store, { checkpoints, known, rangeSize })) {
        if (running.size >= threads.count * rangesAtOnce) await Promise.race(running);
        const one = threads
          .ask({ range })
          .then((result) => take(result as RangeResult))
          .finally(() => running.delete(one));
        // The error is reported where the promise is awaited.
        one.catch(() => undefined);
        running.add(one);
      }
      await Promise.all(running);
    },
    checkpointsOf: (store) => checkpointsAhead(store, threads, rangeSize.checkpoints),
    close: () => threads.close(),
  };
}

/** For a caller that requests one share after another, as in the database: several are read ahead. */
function checkpointsAhead(
  store: Pick<AuditStore, 'checkpointShares'>,
  threads: RecordsThreads<CheckRequest, CheckAnswer>,
  each: number,
): AuditStore['checkpoints'] {
  let shares: CheckpointRange[] = [];
  const ahead: { readonly after: number; readonly rows: Promise<CheckAnswer> }[] = [];
  const askAhead = (): void => {
    for (const share of shares.splice(0, threads.count * rangesAtOnce - ahead.length)) {
      const rows = threads.ask({ checkpoints: share });
      // The error is reported where the promise is awaited.
      rows.catch(() => undefined);
      ahead.push({ after: share.after, rows });
    }
  };
  return async ({ after }) => {
    if (ahead[0]?.after !== after) {
      const ends = await store.checkpointShares({ after, each });
      shares = [after, ...ends].map((begin, index) => ({ after: begin, upTo: ends[index] }));
      ahead.length = 0;
    }
    for (;;) {
      askAhead();
      const rows = (await ahead.shift()?.rows) as readonly CheckpointRow[] | undefined;
      // All rows of a share may have been deleted since.
      if (rows?.length === 0 && ahead.length > 0) continue;
      return (rows ?? []).map(({ number, text, digest }) =>
        digest === undefined ? { number, text } : { number, text, signed: checkpointWithDigest(text, digest) },
      );
    }
  };
}

/** Ranges that together cover all chains, including unknown ones. */
async function* rangesOf(
  store: Pick<AuditStore, 'headsAfter'>,
  {
    checkpoints,
    known,
    rangeSize,
  }: {
    readonly checkpoints: CheckpointChain;
    readonly known: (chain: string) => Pick<KnownOfChain, 'cuts' | 'removals'>;
    readonly rangeSize: typeof usualRange;
  },
): AsyncGenerator<ChainRange, undefined> {
  let expected: ExpectedChain[] = [];
  let [after, rows]: [string | undefined, number] = [undefined, 0];
  for (let page = await store.headsAfter(); page.length > 0; page = await store.headsAfter(page.at(-1)?.chain))
    for (const { chain, head } of page) {
      const { cuts, removals } = known(chain);
      const [stated, digest] = [checkpoints.bytesOf(chain), checkpoints.digestOf(chain)];
      expected.push({
        chain,
        ...(head && { head }),
        ...(stated && { stated }),
        ...(digest !== undefined && { digest }),
        ...(cuts.length > 0 && { cuts: cuts.map(({ to, after: hash }) => ({ to, after: hash })) }),
        ...(removals.size > 0 && { removals }),
      });
      rows += head?.number ?? 0;
      if (rows < rangeSize.rows && expected.length < rangeSize.chains) continue;
      yield { after, upTo: chain, expected };
      [expected, after, rows] = [[], chain, 0];
    }
  yield { after, expected };
}
