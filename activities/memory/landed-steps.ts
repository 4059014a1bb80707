import type { StepCall } from '../../core/action/step.ts';
import { proofDigestOf } from '../../core/decide/warrant.ts';
import type { ReleasedObject } from '../../core/incident/hold.ts';
import { digestOf } from '../../core/text/digest.ts';
import { Memory, type MemoryKeeper } from './memory.ts';

/** Longer ago nobody is believed who says that a step did not come about. */
export const failedWithinMs = 15 * 60_000;
/** As long as a note may pass for one of a step that failed, by two clocks that differ. */
const retentionMs = failedWithinMs + 5 * 60_000;
/** As long as an incident that is set back in Temporal may reach back. */
const releasedRetentionMs = 30 * 86_400_000;
/** As long as votes are remembered. */
const approvedRetentionMs = 30 * 86_400_000;

/** An object, and the step that holds it by the note on it. */
type HeldBy = Pick<ReleasedObject, 'object' | 'uid' | 'step'>;

type AboutStep = Pick<StepCall, 'incident' | 'action' | 'input'>;

/** What a step was, and what it answered when it was done. */
interface DoneStep {
  readonly incident: string;
  readonly action: string;
  readonly inputDigest: string;
  readonly output: unknown;
}

/** Whether a call is about this step. */
export function isSameStep({ incident, action, input }: AboutStep, done: DoneStep): boolean {
  return done.action === action && done.incident === incident.id && done.inputDigest === digestOf(input);
}

/** Each lasts until its step is given back; of so many the oldest go. */
const mostDone = 10_000;

type ApprovedCall = Pick<StepCall, 'key' | 'approval'>;

/** What became of steps here. What comes about is given back by people, or at the end of its lease; what does not, at once; and none is run again after that. */
export class LandedSteps {
  readonly #steps: Memory<true>;
  readonly #done: Memory<DoneStep>;
  readonly #approved: Memory<{ readonly output: unknown }>;
  /** Whether it is known that nothing of the step is left. */
  readonly #givenBack: Memory<boolean>;
  readonly #released: Memory<true>;

  constructor(
    keepers: {
      readonly landed?: MemoryKeeper<true>;
      readonly done?: MemoryKeeper<DoneStep>;
      readonly approved?: MemoryKeeper<{ readonly output: unknown }>;
      readonly givenBack?: MemoryKeeper<boolean>;
      readonly released?: MemoryKeeper<true>;
    } = {},
  ) {
    this.#steps = new Memory({ most: 10_000, retentionMs, keeper: keepers.landed });
    this.#done = new Memory({ most: mostDone, retentionMs: Number.POSITIVE_INFINITY, keeper: keepers.done });
    this.#approved = new Memory({ most: mostDone, retentionMs: approvedRetentionMs, keeper: keepers.approved });
    this.#givenBack = new Memory({ most: 20_000, retentionMs: releasedRetentionMs, keeper: keepers.givenBack });
    this.#released = new Memory({ most: 20_000, retentionMs: releasedRetentionMs, keeper: keepers.released });
  }

  note(key: string, now: number): void {
    this.#steps.set(key, true, now);
  }

  /** What it has done, for whoever gives it back: so that no call need be believed about that. */
  noteDone(call: AboutStep & Pick<StepCall, 'key'>, output: unknown, now: number): void {
    const { key, incident, action, input } = call;
    this.#done.set(key, { incident: incident.id, action, inputDigest: digestOf(input), output }, now);
  }

  /** Undefined where it was given back, or was done elsewhere. */
  doneBy(key: string): DoneStep | undefined {
    return this.#done.get(key);
  }

  /** What people have approved is done once by their word: a call that is played back is told what came of it then. */
  noteApproved(call: ApprovedCall, output: unknown, now: number): void {
    if (call.approval) this.#approved.set(approvedBy(call), { output }, now);
  }

  /** What came of this step when it was done by the same votes. Undefined where it was not, or nobody has approved it. */
  doneByVotes(call: ApprovedCall): { readonly output: unknown } | undefined {
    return call.approval && this.#approved.get(approvedBy(call));
  }

  /** Whether the step with this key came about, or may have: what was taken before this memory reaches back counts as come about. */
  mayHaveLanded(key: string, takenAt: number): boolean {
    return this.#steps.get(key) === true || takenAt <= this.#steps.since;
  }

  /**
   * Its undo is done, and has given these back, each by the step that its own note names. Where it has found nothing, and is of a step that was not
   * done here, that is no sign that nothing of the step is left: it may have been called with the name of another object.
   */
  gaveBack(key: string, now: number, released: readonly HeldBy[] = []): void {
    const isKnown = this.#done.get(key) !== undefined || released.some(({ step }) => step === key);
    this.#givenBack.set(key, isKnown || this.wasUndone(key), now);
    this.#done.delete(key);
    for (const one of released) this.#released.set(heldBy(one), true, now);
  }

  /** Whether an undo here has given this object back from this step. */
  wasReleased(held: HeldBy): boolean {
    return this.#released.get(heldBy(held)) === true;
  }

  /** Each step has a key of its own: with that of one that was given back comes only an incident that was set back. */
  wasGivenBack(key: string): boolean {
    return this.#givenBack.get(key) !== undefined;
  }

  /** Whether an undo here has left nothing of it. */
  wasUndone(key: string): boolean {
    return this.#givenBack.get(key) === true;
  }
}

/** A step, and by whose word it is done. */
export function approvedBy({ key, approval }: ApprovedCall): string {
  return `${key}\n${proofDigestOf({ ...(approval && { approval }) })}`;
}

function heldBy({ object, uid, step }: HeldBy): string {
  return `${step}\n${uid ?? object}`;
}
