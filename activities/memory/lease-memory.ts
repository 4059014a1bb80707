import { releaseIdOf, releaseOf } from '../../core/action/release-plan.ts';
import type { StepCall } from '../../core/action/step.ts';
import type { Question } from '../../core/decide/approval.ts';
import { isStandingQuestion } from '../../core/decide/standing-question.ts';
import { type SeenVote, tallyOf } from '../../core/decide/vote-check.ts';
import type { HoldTerms } from '../../core/incident/hold.ts';
import { Memory, type MemoryKeeper } from './memory.ts';

const retentionMs = 30 * 86_400_000;
const mostAnswers = 100;

/** What people have decided about the end of a lease, other than a release. */
export type LeaseAnswer = 'extended' | 'permanent';

/** Digest of the asking that was answered this way → when, in milliseconds since 1970. */
export interface AnsweredLease {
  readonly extended: Readonly<Record<string, number>>;
  readonly kept?: true;
}

/**
 * What people have answered about the ends of leases, by votes that the cell itself verified: a workflow that was reset, or that is told nothing, does not end
 * what they have prolonged.
 */
export class LeaseMemory {
  readonly #answered: Memory<AnsweredLease>;

  constructor(keeper?: MemoryKeeper<AnsweredLease>) {
    this.#answered = new Memory({ most: 10_000, retentionMs, keeper });
  }

  /**
   * Called after each valid vote: determines the outcome of the question from the votes seen.
   *
   * @returns what this vote has decided; undefined if nothing, or if that was already known
   */
  note(question: Question, digest: string, seen: readonly SeenVote[]): LeaseAnswer | undefined {
    if (!isStandingQuestion(question, question.incident)) return undefined;
    const release = releaseOf(question);
    const { status } = tallyOf(question, seen, question.severity);
    if (release === undefined || status.state !== 'decided') return undefined;
    const known = this.#answered.get(release) ?? { extended: {} };
    const at = Date.parse(status.at);
    if (status.choice === 'keep') {
      this.#answered.set(release, { ...known, kept: true }, at);
      return known.kept ? undefined : 'permanent';
    }
    if (status.choice !== 'extend' || digest in known.extended) return undefined;
    const extended = Object.entries({ ...known.extended, [digest]: at }).slice(-mostAnswers);
    this.#answered.set(release, { ...known, extended: Object.fromEntries(extended) }, at);
    return 'extended';
  }

  /** Until when people have decided that the effect of a step stays in force, in milliseconds since 1970; infinite: permanently. */
  endOf(call: Pick<StepCall, 'action' | 'input' | 'key'>, terms: HoldTerms): number {
    return this.endOfRelease(releaseIdOf(call), terms);
  }

  /** The same by the name of the release. If that is not known, nobody has prolonged it. */
  endOfRelease(release: string | undefined, { at, lease }: HoldTerms): number {
    const { kept, extended = {} } = (release === undefined ? undefined : this.#answered.get(release)) ?? {};
    if (kept) return Number.POSITIVE_INFINITY;
    const ends = Date.parse(at) + lease.durationMs;
    return Object.values(extended)
      .sort((a, b) => a - b)
      .reduce((end, answered) => Math.max(end, answered) + lease.durationMs, ends);
  }

  /** Whether it knows everything that people have answered about what was taken then. */
  reachesBackTo(takenAt: number): boolean {
    return takenAt > this.#answered.since;
  }
}
