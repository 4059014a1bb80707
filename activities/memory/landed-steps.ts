import { Memory, type MemoryKeeper } from './memory.ts';

/** Longer ago nobody is believed who says that a step did not come about. */
export const failedWithinMs = 15 * 60_000;
/** As long as a note may pass for one of a step that failed, by two clocks that differ. */
const retentionMs = failedWithinMs + 5 * 60_000;
/** As long as an incident that is set back in Temporal may reach back. */
const releasedRetentionMs = 30 * 86_400_000;

/** What became of steps here. What comes about is given back by people, or at the end of its lease; what does not, at once; and none is run again after that. */
export class LandedSteps {
  readonly #steps: Memory<true>;
  readonly #givenBack: Memory<true>;

  constructor(keepers: { readonly landed?: MemoryKeeper<true>; readonly givenBack?: MemoryKeeper<true> } = {}) {
    this.#steps = new Memory({ most: 10_000, retentionMs, keeper: keepers.landed });
    this.#givenBack = new Memory({ most: 20_000, retentionMs: releasedRetentionMs, keeper: keepers.givenBack });
  }

  note(key: string, now: number): void {
    this.#steps.set(key, true, now);
  }

  /** Whether the step with this key came about, or may have: what was taken before this memory reaches back counts as come about. */
  mayHaveLanded(key: string, takenAt: number): boolean {
    return this.#steps.get(key) === true || takenAt <= this.#steps.since;
  }

  /** Its undo is done. */
  gaveBack(key: string, now: number): void {
    this.#givenBack.set(key, true, now);
  }

  /** Each step has a key of its own: with that of one that was given back comes only an incident that was set back. */
  wasGivenBack(key: string): boolean {
    return this.#givenBack.get(key) === true;
  }
}
