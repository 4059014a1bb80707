export type Fault =
  | { readonly kind: 'fail'; readonly status?: number; readonly error?: string; readonly retryAfter?: number }
  | { readonly kind: 'hang'; readonly ms: number }
  /** The call does its work, but its answer never comes. */
  | { readonly kind: 'doThenTimeout' }
  /** The call does its work, but its connection breaks before the answer. */
  | { readonly kind: 'doThenReset' };

/** The next faults by method, in the order in which they were requested. */
export class Faults {
  readonly #queued = new Map<string, (Fault | undefined)[]>();

  /** Takes effect `after` this many successful calls. */
  add(method: string, fault: Fault, times = 1, after = 0): void {
    const queue = this.#queued.get(method) ?? [];
    for (let count = 0; count < after; count += 1) queue.push(undefined);
    for (let count = 0; count < times; count += 1) queue.push(fault);
    this.#queued.set(method, queue);
  }

  next(method: string): Fault | undefined {
    return this.#queued.get(method)?.shift();
  }

  clear(): void {
    this.#queued.clear();
  }
}
