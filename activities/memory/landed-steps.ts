import type { ReleasedObject } from '../../core/incident/hold.ts';
import { Memory, type MemoryKeeper } from './memory.ts';

/** Longer ago nobody is believed who says that a step did not come about. */
export const failedWithinMs = 15 * 60_000;
/** As long as a note may pass for one of a step that failed, by two clocks that differ. */
const retentionMs = failedWithinMs + 5 * 60_000;
/** As long as an incident that is set back in Temporal may reach back. */
const releasedRetentionMs = 30 * 86_400_000;

/** An object, and the step that holds it by the note on it. */
type HeldBy = Pick<ReleasedObject, 'object' | 'uid' | 'step'>;

/** What became of steps here. What comes about is given back by people, or at the end of its lease; what does not, at once; and none is run again after that. */
export class LandedSteps {
  readonly #steps: Memory<true>;
  readonly #givenBack: Memory<true>;
  readonly #released: Memory<true>;

  constructor(
    keepers: {
      readonly landed?: MemoryKeeper<true>;
      readonly givenBack?: MemoryKeeper<true>;
      readonly released?: MemoryKeeper<true>;
    } = {},
  ) {
    this.#steps = new Memory({ most: 10_000, retentionMs, keeper: keepers.landed });
    this.#givenBack = new Memory({ most: 20_000, retentionMs: releasedRetentionMs, keeper: keepers.givenBack });
    this.#released = new Memory({ most: 20_000, retentionMs: releasedRetentionMs, keeper: keepers.released });
  }

  note(key: string, now: number): void {
    this.#steps.set(key, true, now);
  }

  /** Whether the step with this key came about, or may have: what was taken before this memory reaches back counts as come about. */
  mayHaveLanded(key: string, takenAt: number): boolean {
    return this.#steps.get(key) === true || takenAt <= this.#steps.since;
  }

  /** Its undo is done, and has given these back, each by the step that its own note names. */
  gaveBack(key: string, now: number, released: readonly HeldBy[] = []): void {
    this.#givenBack.set(key, true, now);
    for (const one of released) this.#released.set(heldBy(one), true, now);
  }

  /** Whether an undo here has given this object back from this step. */
  wasReleased(held: HeldBy): boolean {
    return this.#released.get(heldBy(held)) === true;
  }

  /** Each step has a key of its own: with that of one that was given back comes only an incident that was set back. */
  wasGivenBack(key: string): boolean {
    return this.#givenBack.get(key) === true;
  }
}

function heldBy({ object, uid, step }: HeldBy): string {
  return `${step}\n${uid ?? object}`;
}
