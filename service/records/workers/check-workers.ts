import { availableParallelism } from 'node:os';
import { extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { AuditStore } from '../../../core/audit/audit-store.ts';
import type { CheckpointChain } from '../../../core/audit/checkpoint-chain.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { ChainRange, CheckAnswer, CheckParts, CheckRequest, ExpectedChain, RangeResult } from './check-main.ts';
import type { KnownOfChain } from './check-rows.ts';

/** More are no faster: the database has to give what they check. */
const mostThreads = 4;

/** A thread begins with the next range while it waits for rows of this one. */
const rangesAtOnce = 2;

/** So many rows are thought to be in a range, or so many chains. */
const usualRange = { rows: 5_000, chains: 500 };

/** Of a thread. Rows are rubbish a moment later: with 16 MB for them, the processor worked a third longer. What a range needs is less by far than the rest. */
const heap = { maxYoungGenerationSizeMb: 24, maxOldGenerationSizeMb: 256 };

/** Threads that check what would take this one minutes. */
export interface CheckWorkers {
  /**
   * Checks all rows that there are, and the chains that have heads. Each chain comes once, unless somebody writes meanwhile; what comes as odd has to be looked at again.
   * @throws FB_ERR_UNAVAILABLE when the database cannot be read
   */
  checkAll(
    about: {
      readonly store: Pick<AuditStore, 'headsAfter'>;
      readonly checkpoints: CheckpointChain;
      readonly known: (chain: string) => Pick<KnownOfChain, 'cuts' | 'removals'>;
    },
    take: (result: RangeResult) => Promise<void>,
  ): Promise<void>;
  close(): Promise<void>;
}

export function startCheckWorkers(parts: CheckParts, rangeSize = usualRange): CheckWorkers {
  const threads = Array.from({ length: Math.min(mostThreads, availableParallelism()) }, () => new CheckThread(parts));
  const idlest = (): CheckThread => threads.reduce((a, b) => (b.waiting < a.waiting ? b : a));
  return {
    checkAll: async ({ store, checkpoints, known }, take) => {
      const running = new Set<Promise<void>>();
      for await (const range of rangesOf(store, { checkpoints, known, rangeSize })) {
        if (running.size >= threads.length * rangesAtOnce) await Promise.race(running);
        const one = idlest()
          .ask({ kind: 'range', range })
          .then((result) => take(result as RangeResult))
          .finally(() => running.delete(one));
        // Whoever waits for it hears of it.
        one.catch(() => undefined);
        running.add(one);
      }
      await Promise.all(running);
    },
    close: async () => {
      await Promise.all(threads.map((thread) => thread.end()));
    },
  };
}

/** Ranges in which all chains lie, also those that nobody knows of. */
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

class CheckThread {
  readonly #worker: Worker;
  readonly #asked = new Map<number, { readonly resolve: (value: unknown) => void; readonly reject: (error: unknown) => void }>();
  #failed: Error | undefined;
  #count = 0;

  constructor(parts: CheckParts) {
    const program = join(import.meta.dirname, `check-main${extname(import.meta.filename)}`);
    this.#worker = new Worker(program, { workerData: parts, resourceLimits: heap });
    this.#worker.on('message', ({ id, value, problem }: CheckAnswer) => {
      const asked = this.#asked.get(id);
      this.#asked.delete(id);
      if (problem) asked?.reject(new FirebreakError(problem.code, problem.detail));
      else asked?.resolve(value);
    });
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(new Error('it has ended')));
  }

  get waiting(): number {
    return this.#asked.size;
  }

  ask(request: CheckRequest): Promise<unknown> {
    if (this.#failed) return Promise.reject(this.#failed);
    this.#count += 1;
    const id = this.#count;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      this.#worker.postMessage({ id, request });
    });
  }

  async end(): Promise<void> {
    if (this.#failed) return;
    // Not `once`: a thread that fails meanwhile would have that reject.
    const ended = new Promise((resolve) => void this.#worker.on('exit', resolve));
    await this.ask({ kind: 'end' }).catch(() => this.#worker.terminate());
    await ended;
  }

  #fail(error: unknown): void {
    const code = error instanceof FirebreakError ? error.code : 'FB_ERR_INTERNAL';
    const detail = error instanceof Error ? error.message : String(error);
    this.#failed ??= new FirebreakError(code, `a thread that checks records: ${detail}`);
    for (const { reject } of this.#asked.values()) reject(this.#failed);
    this.#asked.clear();
  }
}
