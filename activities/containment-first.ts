import { setTimeout as sleep } from 'node:timers/promises';
import type { CellActivities, DeskActivities } from '../core/step.ts';

export interface ContainmentFirstOptions {
  /** Milliseconds without a containment on its way until other work goes on. */
  readonly quietMs?: number;
  /** The longest that other work is held back, milliseconds: an endless storm must not stop evidence and records. */
  readonly longestMs?: number;
  readonly now?: () => number;
}

const tickMs = 10;
/** When it is quiet again, what waited begins a few at a time: the next alert must not find all of it before it. */
const releasedAtOnce = 4;

/**
 * In a burst the containments go first: what only follows one (verifying, planning, records, cards) waits until none is on its way.
 * Votes, releases and what people approved are never held back.
 */
export class ContainmentFirst {
  readonly #quietMs: number;
  readonly #longestMs: number;
  readonly #now: () => number;
  readonly #waiting: { readonly since: number; readonly go: () => void }[] = [];
  #underway = 0;
  #last = Number.NEGATIVE_INFINITY;
  #ticking = false;

  constructor({ quietMs = 60, longestMs = 1_500, now = () => performance.now() }: ContainmentFirstOptions = {}) {
    this.#quietMs = quietMs;
    this.#longestMs = longestMs;
    this.#now = now;
  }

  /** An incident is being started: its containment comes in a moment. */
  expect(): void {
    this.#last = this.#now();
  }

  async contain<T>(work: () => Promise<T>): Promise<T> {
    this.#underway += 1;
    try {
      return await work();
    } finally {
      this.#underway -= 1;
      this.#last = this.#now();
    }
  }

  /** Resolves when no containment is on its way, at once where none was lately. In order. */
  turn(): Promise<void> {
    if (this.#isQuiet && this.#waiting.length === 0) return Promise.resolve();
    return new Promise((go) => {
      this.#waiting.push({ since: this.#now(), go });
      if (!this.#ticking) void this.#tick();
    });
  }

  get #isQuiet(): boolean {
    return this.#underway === 0 && this.#now() - this.#last >= this.#quietMs;
  }

  async #tick(): Promise<void> {
    this.#ticking = true;
    while (this.#waiting.length > 0) {
      await sleep(tickMs);
      const overdue = this.#waiting.filter(({ since }) => this.#now() - since >= this.#longestMs).length;
      const count = Math.max(overdue, this.#isQuiet ? releasedAtOnce : 0);
      for (const { go } of this.#waiting.splice(0, count)) go();
    }
    this.#ticking = false;
  }
}

/** The cell's activities, the first containment of each incident before the rest. */
export function cellContainsFirst(activities: CellActivities, first: ContainmentFirst): CellActivities {
  return {
    ...activities,
    applyStepNow: (call) => first.contain(() => activities.applyStepNow(call)),
    planStep: (call) => first.turn().then(() => activities.planStep(call)),
    verifyStep: (step) => first.turn().then(() => activities.verifyStep(step)),
  };
}

/** The desk's activities where it shares the process with a cell. Answers to people are not held back. */
export function deskContainsFirst(activities: DeskActivities, first: ContainmentFirst): DeskActivities {
  return {
    ...activities,
    postQuestion: (post) => first.turn().then(() => activities.postQuestion(post)),
    updateQuestion: (post) => first.turn().then(() => activities.updateQuestion(post)),
    recordAudit: (records) => first.turn().then(() => activities.recordAudit(records)),
  };
}
