import { LRUCache } from 'lru-cache';
import { FirebreakError } from '../../../core/errors.ts';

const most = 10_000;

/** Limits requests with a token bucket for each session, and for each address of clients that are not signed in. */
export class RequestBudget {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #now: () => number;
  readonly #left = new LRUCache<string, { readonly tokens: number; readonly at: number }>({ max: most });

  constructor({ perSecond = 20, burst = 100, now = Date.now }: { perSecond?: number; burst?: number; now?: () => number } = {}) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#now = now;
  }

  /** @throws FB_ERR_TOO_MANY */
  spend(who: string, cost = 1): void {
    const at = this.#now();
    const { tokens, at: before } = this.#left.get(who) ?? { tokens: this.#burst, at };
    const now = Math.min(this.#burst, tokens + ((at - before) / 1_000) * this.#perSecond);
    if (now < cost) throw new FirebreakError('FB_ERR_TOO_MANY', 'you send too many requests');
    this.#left.set(who, { tokens: now - cost, at });
  }
}
