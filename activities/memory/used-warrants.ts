import type { Warrant } from '../../core/decide/warrant.ts';
import { Memory, type MemoryKeeper } from './memory.ts';

/** Much longer than a warrant lasts. */
const retentionMs = 3_600_000;

/** Which warrants this pool has already begun a step with, and for which call: each is valid for one. */
export class UsedWarrants {
  readonly #used: Memory<string>;

  constructor(keeper?: MemoryKeeper<string>) {
    this.#used = new Memory({ most: 10_000, retentionMs, keeper });
  }

  by({ id }: Warrant): string | undefined {
    return this.#used.get(id);
  }

  note({ id }: Warrant, order: string, now: number): void {
    this.#used.set(id, order, now);
  }

  /** Whether it would know of the warrant's use: one signed before this memory reaches back may have been used. */
  reachesBackTo({ at }: Warrant): boolean {
    return at > this.#used.since;
  }
}
