import { setTimeout as sleep } from 'node:timers/promises';
import type { CellActivities, DeskActivities, StepCall } from '../../core/action/step.ts';
import { actions } from '../../core/actions/index.ts';
import { withHeartbeat } from '../heartbeat.ts';

interface ContainmentFirstOptions {
  /** Milliseconds without a running containment before other work continues. */
  readonly quietMs?: number;
  /** Maximum milliseconds that other work is held back: an endless storm must not stop evidence and records. */
  readonly longestMs?: number;
  /** Milliseconds to wait for an announced containment: the playbook may not contain at all. */
  readonly expectedMs?: number;
  /** If containments are running and none has succeeded for this many milliseconds, the API server hangs; other work then continues anyway. */
  readonly stuckMs?: number | undefined;
  readonly now?: () => number;
}

const tickMs = 10;
/** When it is quiet again, waiting work starts a few at a time: the next alert must not queue behind all of it. */
const releasedAtOnce = 4;
/**
 * In a burst, containments go first: whatever only follows one (starting its incident, verifying, planning, records, cards) waits until none is running. Votes,
 * releases and what people approved are never held back.
 */
export class ContainmentFirst {
  readonly #quietMs: number;
  readonly #longestMs: number;
  readonly #now: () => number;
  readonly #expectedMs: number;
  readonly #stuckMs: number;
  /** Incidents whose containment is announced, with the time of the announcement. */
  readonly #expected = new Map<string, number>();
  readonly #waiting: { readonly since: number; readonly go: () => void }[] = [];
  #underway = 0;
  #last = Number.NEGATIVE_INFINITY;
  /** When the last containment succeeded, or the first of those that are running began. */
  #progressAt = Number.NEGATIVE_INFINITY;
  #ticking = false;

  constructor(options: ContainmentFirstOptions = {}) {
    const { quietMs = 60, longestMs = 3_000, expectedMs = 4_000, stuckMs = 3_000, now = () => performance.now() } = options;
    this.#expectedMs = expectedMs;
    this.#stuckMs = stuckMs;
    this.#quietMs = quietMs;
    this.#longestMs = longestMs;
    this.#now = now;
  }

  /** An incident is being started: its containment follows in a moment. */
  expect(incident: string): void {
    this.#last = this.#now();
    this.#expected.delete(incident);
    this.#expected.set(incident, this.#last);
  }

  /** Performs a containment. It has failed if `work` rejects. */
  async contain<T>(incident: string, work: () => Promise<T>): Promise<T> {
    if (this.#underway === 0) this.#progressAt = this.#now();
    this.#underway += 1;
    try {
      const result = await work();
      this.#progressAt = this.#now();
      return result;
    } finally {
      this.#underway -= 1;
      this.#expected.delete(incident);
      this.#last = this.#now();
      if (this.#isQuiet) this.#release();
    }
  }

  /**
   * Resolves when no containment is running, or at once if there was none lately. Keeps the order.
   *
   * @param since when the work began to wait, by the same clock
   */
  turn(since = this.#now()): Promise<void> {
    if (this.#isQuiet && this.#waiting.length === 0) return Promise.resolve();
    return new Promise((go) => {
      this.#waiting.push({ since, go });
      if (!this.#ticking) void this.#tick();
    });
  }

  get #isQuiet(): boolean {
    const now = this.#now();
    // In the order in which they were announced.
    for (const [incident, at] of this.#expected) {
      if (now - at < this.#expectedMs) return false;
      this.#expected.delete(incident);
    }
    if (this.#underway === 0) return now - this.#last >= this.#quietMs;
    return now - this.#progressAt > this.#stuckMs;
  }

  async #tick(): Promise<void> {
    this.#ticking = true;
    while (this.#waiting.length > 0) {
      await sleep(tickMs, undefined, { ref: false });
      this.#release();
    }
    this.#ticking = false;
  }

  #release(): void {
    const [first] = this.#waiting;
    if (first === undefined) return;
    // One at a time: running everything overdue at once would take the processors from the pods that are still open.
    const overdue = this.#now() - first.since >= this.#longestMs ? 1 : 0;
    const count = this.#isQuiet ? releasedAtOnce : overdue;
    for (const { go } of this.#waiting.splice(0, count)) go();
  }
}

/** The cell's activities, the first containment of each incident before the rest. */
export function cellContainsFirst(activities: CellActivities, first: ContainmentFirst): CellActivities {
  return {
    ...activities,
    applyStepNow: (call) => first.contain(call.incident.id, () => activities.applyStepNow(call)),
    applyStep: (call) => (mayWait(call) ? turnWithHeartbeat(first) : Promise.resolve()).then(() => activities.applyStep(call)),
    planStep: (call) => turnWithHeartbeat(first).then(() => activities.planStep(call)),
    verifyStep: (step) => turnWithHeartbeat(first).then(() => activities.verifyStep(step)),
  };
}

/** The desk's activities if it shares the process with a cell. Answers to people are not held back. */
export function deskContainsFirst(activities: DeskActivities, first: ContainmentFirst): DeskActivities {
  return {
    ...activities,
    postQuestion: (post) => first.turn().then(() => activities.postQuestion(post)),
    updateQuestion: (post) => first.turn().then(() => activities.updateQuestion(post)),
    recordAudit: (records, signatures) => first.turn().then(() => activities.recordAudit(records, signatures)),
  };
}

/** A waiting activity is alive: the server must not consider the worker lost. */
function turnWithHeartbeat(first: ContainmentFirst): Promise<void> {
  return withHeartbeat(() => first.turn());
}

const containing: ReadonlySet<string> = new Set(actions.filter(({ contains }) => contains).map(({ name }) => name));

function mayWait(call: StepCall): boolean {
  return call.approval === undefined && !containing.has(call.action);
}
