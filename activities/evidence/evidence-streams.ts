import { setTimeout as sleep } from 'node:timers/promises';
import type { StepContext } from '../../core/action/action.ts';
import { FirebreakError } from '../../core/errors.ts';
import { ConcurrencyLimiter } from '../concurrency-limiter.ts';

/** Limits that a cluster can bear. */
interface StreamLimits {
  /** Maximum number of concurrent streams; not fewer than processes. */
  readonly atATime: number;
  /** For all of them together. */
  readonly bytesPerSecond: number;
  /** How many processes share that, each with an equal part. */
  readonly processes: number;
}

/** Waiting work occupies a slot of the worker, which quick work needs too: any more than this is retried later. */
const mostWaiting = 4;
/** Shorter sleeps than this only cost. */
const leastNapMs = 20;
/** Capacity not used in this time may be used after it: streams come in bursts, and the limit applies on average. */
const madeUpMs = 100;

/** Limits how much evidence leaves a cluster at a time: its kubelets and API server carry the workloads too. */
export class EvidenceStreams {
  readonly #slots: ConcurrencyLimiter;
  readonly #bytesPerSecond: number;
  /** The time by which the bytes sent so far are within the limit. */
  #paidUntil = 0;

  constructor({ atATime, bytesPerSecond, processes }: StreamLimits) {
    this.#slots = new ConcurrencyLimiter(Math.floor(atATime / processes));
    this.#bytesPerSecond = bytesPerSecond / processes;
  }

  /** Does the work when it is its turn, in order of arrival. @throws FB_ERR_UNAVAILABLE if too many wait already. */
  async inTurn<T>({ signal, progress }: Pick<StepContext, 'signal' | 'progress'>, work: () => Promise<T>): Promise<T> {
    if (this.#slots.isFree) return this.#slots.run(work);
    const { running, waiting } = this.#slots;
    if (waiting >= mostWaiting)
      throw new FirebreakError(
        'FB_ERR_UNAVAILABLE',
        `${running} streams of evidence are running, and ${waiting} are already waiting`,
      );
    progress?.(`waits for its turn: ${running} streams of evidence are running, ${waiting} wait before it`);
    const begin = (): Promise<T> => {
      progress?.('has its turn');
      return work();
    };
    return this.#slots.run(begin, { signal });
  }

  /** The same bytes, throttled so that all streams together stay within the limit. */
  async *paced(data: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const part of data) {
      const now = performance.now();
      this.#paidUntil = Math.max(this.#paidUntil, now - madeUpMs) + (1_000 * part.byteLength) / this.#bytesPerSecond;
      const early = this.#paidUntil - now;
      if (early > leastNapMs) await sleep(early);
      yield part;
    }
  }
}
