import { ownCopy } from '../novelty/behaviour.ts';

/** An act on another pod counts only after this time, so that a worm does not make itself normal. */
export const settlingMs = 10 * 60_000;
const mostKeys = 50_000;
const mostPods = 3;

interface Seen {
  /** The first pods on which it was seen, and when. */
  readonly pods: Map<string, number>;
  inBaseline: boolean;
}

/** What was seen where, by place (a workload, an image) and act. Bounded: what it forgets is new again. */
export class Familiar {
  readonly #seen = new Map<string, Seen>();

  /** How many other pods did this at this place at least ten minutes ago; `baseline` if an operator's baseline has it. */
  ask(key: string, { pod, nowMs }: { readonly pod: string; readonly nowMs: number }): 'baseline' | number {
    const seen = this.#seen.get(key);
    if (!seen) return 0;
    if (seen.inBaseline) return 'baseline';
    return [...seen.pods].filter(([name, at]) => name !== pod && at <= nowMs - settlingMs).length;
  }

  /** When this pod did it first, if it is remembered. */
  first(key: string, pod: string): number | undefined {
    return this.#seen.get(key)?.pods.get(pod);
  }

  add(key: string, { pod, nowMs }: { readonly pod: string; readonly nowMs: number }): void {
    const seen = this.#seen.get(key);
    if (seen) {
      this.#seen.delete(key);
      this.#seen.set(key, seen);
      if (!seen.pods.has(pod) && seen.pods.size < mostPods) seen.pods.set(ownCopy(pod), nowMs);
      return;
    }
    this.#seen.set(ownCopy(key), { pods: new Map([[ownCopy(pod), nowMs]]), inBaseline: false });
    this.#forget();
  }

  /** A pod that people have called attacked teaches nothing. */
  unlearn(pod: string): void {
    for (const seen of this.#seen.values()) seen.pods.delete(pod);
  }

  addBaseline(key: string): void {
    const seen = this.#seen.get(key);
    if (seen) seen.inBaseline = true;
    else this.#seen.set(ownCopy(key), { pods: new Map(), inBaseline: true });
    this.#forget();
  }

  keys(): readonly string[] {
    return [...this.#seen.keys()];
  }

  entries(): readonly (readonly [string, boolean, readonly (readonly [string, number])[]])[] {
    return [...this.#seen].map(([key, { pods, inBaseline }]) => [key, inBaseline, [...pods]]);
  }

  restore(entries: readonly (readonly [string, boolean, readonly (readonly [string, number])[]])[]): void {
    for (const [key, inBaseline, pods] of entries) this.#seen.set(key, { pods: new Map(pods), inBaseline });
    this.#forget();
  }

  #forget(): void {
    if (this.#seen.size <= mostKeys) return;
    for (const [key, { inBaseline }] of this.#seen) {
      if (this.#seen.size <= mostKeys) return;
      // The baseline is an operator's: a flood must not push it out.
      if (!inBaseline || this.#seen.size > 2 * mostKeys) this.#seen.delete(key);
    }
  }
}
