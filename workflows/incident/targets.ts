import { condition } from '../world.ts';

/** Steps on one target run one after another; steps on different targets run concurrently. */
export class TargetLocks {
  readonly #held = new Set<string>();

  async hold<T>(target: string | undefined, work: () => Promise<T>): Promise<T> {
    if (target === undefined) return work();
    // All waiters are woken at once: only the first finds it free.
    while (this.#held.has(target)) await condition(() => !this.#held.has(target));
    this.#held.add(target);
    try {
      return await work();
    } finally {
      this.#held.delete(target);
    }
  }
}
