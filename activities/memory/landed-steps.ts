import type { StepCall } from '../../core/action/step.ts';
import { proofDigestOf } from '../../core/decide/warrant.ts';
import type { ReleasedObject } from '../../core/incident/hold.ts';
import { digestOf } from '../../core/text/digest.ts';
import { Memory, type MemoryKeeper } from './memory.ts';

/** After this time, a claim that a step failed is no longer believed. */
export const failedWithinMs = 15 * 60_000;
/** How long a note may be taken for one of a failed step, given two clocks that differ. */
const retentionMs = failedWithinMs + 5 * 60_000;
/** How far back an incident that is reset in Temporal may reach. */
const releasedRetentionMs = 30 * 86_400_000;
/** As long as votes are remembered. */
const approvedRetentionMs = 30 * 86_400_000;

/** An object, and the step that holds it according to the note on it. */
type HeldBy = Pick<ReleasedObject, 'object' | 'uid' | 'step'>;

type AboutStep = Pick<StepCall, 'incident' | 'action' | 'input'>;

/** A step, and what it returned when it was done. */
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

/** Each is kept until its step is released; beyond this number, the oldest are dropped. */
const mostDone = 10_000;

type ApprovedCall = Pick<StepCall, 'key' | 'approval'>;

/**
 * What became of steps here. A step that succeeded is released by people, or at the end of its lease; one that failed, at once; and none is run again after
 * that.
 */
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

  /** Remembers what the step has done, for its release: so that no call need be believed about that. */
  noteDone(call: AboutStep & Pick<StepCall, 'key'>, output: unknown, now: number): void {
    const { key, incident, action, input } = call;
    this.#done.set(key, { incident: incident.id, action, inputDigest: digestOf(input), output }, now);
  }

  /** Undefined if it was released, or was done elsewhere. */
  doneBy(key: string): DoneStep | undefined {
    return this.#done.get(key);
  }

  /** What people have approved is done once per approval: a replayed call gets the result from then. */
  noteApproved(call: ApprovedCall, output: unknown, now: number): void {
    if (call.approval) this.#approved.set(approvedBy(call), { output }, now);
  }

  /** The result of this step when it was done with the same votes. Undefined if it was not, or nobody has approved it. */
  doneByVotes(call: ApprovedCall): { readonly output: unknown } | undefined {
    return call.approval && this.#approved.get(approvedBy(call));
  }

  /** Whether the step with this key succeeded, or may have: anything taken before this memory reaches back counts as succeeded. */
  mayHaveLanded(key: string, takenAt: number): boolean {
    return this.#steps.get(key) === true || takenAt <= this.#steps.since;
  }

  /**
   * The step's undo is done, and has released these, each of the step that its own note names. If it found nothing and the step was not done here, that does
   * not prove that nothing of the step is left: it may have been called with the name of another object.
   */
  gaveBack(key: string, now: number, released: readonly HeldBy[] = []): void {
    const isKnown = this.#done.get(key) !== undefined || released.some(({ step }) => step === key);
    this.#givenBack.set(key, isKnown || this.wasUndone(key), now);
    this.#done.delete(key);
    for (const one of released) this.#released.set(heldBy(one), true, now);
  }

  /** Whether an undo here has released this object from this step. */
  wasReleased(held: HeldBy): boolean {
    return this.#released.get(heldBy(held)) === true;
  }

  /** Each step has its own key: only an incident that was reset calls again with the key of a released one. */
  wasGivenBack(key: string): boolean {
    return this.#givenBack.get(key) !== undefined;
  }

  /** Whether an undo here has left nothing of it. */
  wasUndone(key: string): boolean {
    return this.#givenBack.get(key) === true;
  }
}

/** A step together with the approval under which it is done. */
export function approvedBy({ key, approval }: ApprovedCall): string {
  return `${key}\n${proofDigestOf({ ...(approval && { approval }) })}`;
}

function heldBy({ object, uid, step }: HeldBy): string {
  return `${step}\n${uid ?? object}`;
}
