import { setTimeout as sleep } from 'node:timers/promises';
import type { ReplyStore } from '../../../core/incident/click-reply.ts';

/** An incident answers within a second; a person looks again after a few. */
const answersWithinMs = 4_000;
const lookEveryMs = 400;

/** One reply for each tap: a receipt is shown only if the incident has not answered by then, on this desk or on another. */
export class Receipts {
  readonly #replies: Pick<ReplyStore, 'wasAnswered'>;
  readonly #withinMs: number;

  constructor(replies: Pick<ReplyStore, 'wasAnswered'>, withinMs = answersWithinMs) {
    this.#replies = replies;
    this.#withinMs = withinMs;
  }

  /** @param clicks ids of the votes or remarks that were sent on */
  async isNeeded(clicks: readonly string[]): Promise<boolean> {
    const until = performance.now() + this.#withinMs;
    for (;;) {
      const answered = await Promise.all(clicks.map((click) => this.#replies.wasAnswered(click).catch(() => false)));
      if (answered.every(Boolean)) return false;
      if (performance.now() >= until) return true;
      await sleep(lookEveryMs, undefined, { ref: false });
    }
  }
}
