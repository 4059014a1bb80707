import { setTimeout as sleep } from 'node:timers/promises';
import type { StepContext } from '../../core/action/action.ts';
import { FirebreakError } from '../../core/errors.ts';

/** What a cluster bears. */
interface StreamLimits {
  /** How many streams are on their way at a time; not fewer than processes. */
  readonly atATime: number;
  /** Of all of them together. */
  readonly bytesPerSecond: number;
  /** How many processes share that, each with an equal part. */
  readonly processes: number;
}

/** Who waits has a place of the worker, which what is quick needs too: more than these come again by themselves. */
const mostWaiting = 4;
/** Shorter naps than this only cost. */
const leastNapMs = 20;
/** What was not sent in this time may be sent after it: streams come in bursts, and the limit is meant for all of it. */
const madeUpMs = 100;

/** How much evidence is on its way out of a cluster: its kubelets and API server carry the workloads too. */
export class EvidenceStreams {
  readonly #limits: Pick<StreamLimits, 'atATime' | 'bytesPerSecond'>;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  /** When what has come so far may have come. */
  #paidUntil = 0;

  constructor({ atATime, bytesPerSecond, processes }: StreamLimits) {
    this.#limits = { atATime: Math.floor(atATime / processes), bytesPerSecond: bytesPerSecond / processes };
  }

  /** Does the work when it is its turn, in the order in which they came. @throws FB_ERR_UNAVAILABLE when too many wait already. */
  async inTurn<T>({ signal, progress }: Pick<StepContext, 'signal' | 'progress'>, work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#limits.atATime) this.#running += 1;
    else await this.#wait(signal, progress);
    try {
      return await work();
    } finally {
      // The place is handed on, not given back: nobody comes in between.
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
        `${this.#running} streams of evidence are on their way, and ${ahead} wait already`,
      );
    signal.throwIfAborted();
    progress?.(`waits for its turn: ${this.#running} streams of evidence are on their way, ${ahead} wait before it`);
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

  /** The same bytes, no faster than all streams together may be. */
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
