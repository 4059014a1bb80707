import { condition } from '@temporalio/workflow';

/** Steps on one target run one after another; steps on different targets side by side. */
export class TargetLocks {
  readonly #held = new Set<string>();

  async hold<T>(target: string | undefined, work: () => Promise<T>): Promise<T> {
    if (target === undefined) return work();
    // Everyone who waits is woken at once: only the first finds it free.
    while (this.#held.has(target)) await condition(() => !this.#held.has(target));
    this.#held.add(target);
    try {
      return await work();
    } finally {
      this.#held.delete(target);
    }
  }
}

/** The uid of the pod that a step's input is about, whatever the field is called. */
export function podUidOf(input: unknown): string | undefined {
  if (typeof input !== 'object' || input === null) return undefined;
  for (const value of Object.values(input)) {
    if (typeof value === 'object' && value !== null && 'uid' in value && typeof value.uid === 'string') return value.uid;
  }
  return undefined;
}
