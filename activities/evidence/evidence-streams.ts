import { setTimeout as sleep } from 'node:timers/promises';
import type { StepContext } from '../../core/action/action.ts';
import { FirebreakError } from '../../core/errors.ts';

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
  readonly #limits: Pick<StreamLimits, 'atATime' | 'bytesPerSecond'>;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  /** The time by which the bytes sent so far are within the limit. */
  #paidUntil = 0;

  constructor({ atATime, bytesPerSecond, processes }: StreamLimits) {
    this.#limits = { atATime: Math.floor(atATime / processes), bytesPerSecond: bytesPerSecond / processes };
  }

  /** Does the work when it is its turn, in order of arrival. @throws FB_ERR_UNAVAILABLE if too many wait already. */
  async inTurn<T>({ signal, progress }: Pick<StepContext, 'signal' | 'progress'>, work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#limits.atATime) this.#running += 1;
    else await this.#wait(signal, progress);
    try {
      return await work();
    } finally {
      // The slot is handed on, not released: nobody gets in between.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }

  async #wait(signal: AbortSignal, progress: StepContext['progress']): Promise<void> {
    const ahead = this.#waiting.length;
    if (ahead >= mostWaiting)
      throw new FirebreakError(
        'FB_ERR_UNAVAILABLE',
        `${this.#running} streams of evidence are running, and ${ahead} are already waiting`,
      );
    signal.throwIfAborted();
    progress?.(`waits for its turn: ${this.#running} streams of evidence are running, ${ahead} wait before it`);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = (): void => {
      const at = this.#waiting.indexOf(resolve);
      if (at >= 0) this.#waiting.splice(at, 1);
      reject(signal.reason);
    };
    this.#waiting.push(resolve);
    signal.addEventListener('abort', leave, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', leave);
    }
    progress?.('has its turn');
  }

  /** The same bytes, throttled so that all streams together stay within the limit. */
  async *paced(data: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const part of data) {
      const now = performance.now();
      this.#paidUntil = Math.max(this.#paidUntil, now - madeUpMs) + (1_000 * part.byteLength) / this.#limits.bytesPerSecond;
      const early = this.#paidUntil - now;
      if (early > leastNapMs) await sleep(early);
      yield part;
    }
  }
}
