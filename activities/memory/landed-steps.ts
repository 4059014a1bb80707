import { Memory, type MemoryKeeper } from './memory.ts';

/** Longer ago nobody is believed who says that a step did not come about. */
export const failedWithinMs = 15 * 60_000;
/** As long as a note may pass for one of a step that failed, by two clocks that differ. */
const keptMs = failedWithinMs + 5 * 60_000;

/** Which steps came about here. What comes about is given back by people, or at the end of its lease; what does not, at once. */
export class LandedSteps {
  readonly #steps: Memory<true>;

  constructor(keeper?: MemoryKeeper<true>) {
    this.#steps = new Memory({ most: 10_000, keptMs, keeper });
  }

  note(key: string, now: number): void {
    this.#steps.set(key, true, now);
  }

  /** Whether the step with this key came about, or may have: what was taken before this memory reaches back counts as come about. */
  mayHaveLanded(key: string, takenAt: number): boolean {
    return this.#steps.get(key) === true || takenAt <= this.#steps.since;
  }
}
