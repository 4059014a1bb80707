import type { Effect, Plan, Reach } from '../core/action/plan.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { Verdict } from '../core/incident/incident.ts';

/** One thing that happened, in the words that the incident's record would have. */
export interface StoryEvent {
  /** Milliseconds since the alert came, by the simulation's clock. */
  readonly at: number;
  /** As in the record: `step.applied`, `question.asked`, `playbook.note` …; and `step.planned` for each plan that the body asked for. */
  readonly kind: string;
  readonly text: string;
}

/** A step that was begun. One that first waited for people appears twice: refused, and done with their approval. */
export interface StoryStep {
  /** Milliseconds between the alert and the end of the step. */
  readonly at: number;
  readonly action: string;
  readonly target: string;
  readonly effect: Effect;
  readonly reach: Reach;
  /** `joined`: the same was already in force. `undone`: released. `skipped`: it had nothing to work with, such as no ticket system. */
  readonly state: 'done' | 'failed' | 'joined' | 'undone' | 'skipped';
  /** The people who approved it; empty if it was automatic. */
  readonly approvedBy: readonly string[];
  /** Why it failed. */
  readonly code?: ErrorCode;
  readonly reason?: string;
  /** It failed because the simulation was told to make it fail. */
  readonly isInjected?: true;
  /** It asked for a longer lease, in hours, than `guardrails.longestLeaseHours` or, without it, any installation allows: the cell shortens it. */
  readonly shortened?: { readonly asked: number; readonly allowed: number };
}

export interface StoryQuestion {
  readonly text: string;
  /** The playbook; or `engine` if a step may not run without people, or waits for evidence. */
  readonly asker: string;
  readonly choices: readonly {
    readonly id: string;
    readonly label: string;
    /** Actions whose plans it shows. */
    readonly plans: readonly string[];
    /** How many people must choose it. */
    readonly people: number;
    readonly isHarmless: boolean;
  }[];
  /** Groups that are asked, one after another. */
  readonly groups: readonly string[];
  readonly onSilence: string;
  /** Milliseconds between the alert and the decision, or the end of the question. */
  readonly endedAt: number;
  /** The choice; `silence`; or `void` if it became pointless. */
  readonly answer: string;
  readonly by: readonly string[];
}

/** A lease that is in force when the body has ended. */
export interface StoryLease {
  readonly action: string;
  readonly target: string;
  readonly contains: boolean;
  /** Milliseconds since the alert came. */
  readonly until: number;
  /** What happens to it then if nobody says anything. */
  readonly inSilence: 'release' | 'renew' | 'escalate';
}

/** What a playbook does about an alert, from its first moment until nothing is left to do. */
export interface Story {
  /** Ids of the playbooks that ran. Empty: nothing answers the alert. */
  readonly playbooks: readonly string[];
  readonly events: readonly StoryEvent[];
  /** Plans that the body asked for. */
  readonly plans: readonly Plan[];
  readonly steps: readonly StoryStep[];
  readonly questions: readonly StoryQuestion[];
  readonly notes: readonly string[];
  readonly verdict: Verdict;
  readonly left: readonly StoryLease[];
  /** `skipped`: the body says that the alert is not for it. `endless`: it still waits after 30 days. `unmatched`: no playbook answers the alert. */
  readonly end: 'done' | 'failed' | 'skipped' | 'endless' | 'unmatched';
  /** Steps still in progress when their body had ended: an `await` is missing. */
  readonly notAwaited: readonly string[];
  /** Why the body failed; `stack` names the line of its source if the body itself threw. */
  readonly error?: { readonly code: ErrorCode; readonly message: string; readonly stack?: string };
}

/** Tells the story in lines for people. */
export function tellStory({ playbooks, events, left, end, verdict, error }: Story): readonly string[] {
  if (end === 'unmatched') return ['No playbook answers this alert.'];
  return [
    `${playbooks.join(', ')}:`,
    ...events.map(({ at, kind, text }) => `  ${timeText(at).padStart(8)}  ${kind.padEnd(20)}  ${text}`),
    `It was ${verdict === 'unknown' ? 'not judged' : verdict}.`,
    ...left.map(
      ({ action, target, until, inSilence }) =>
        `In force: ${action} on ${target} until ${timeText(until)}; in silence: ${inSilence}.`,
    ),
    ...(end === 'failed' ? [`The playbook stopped: ${error?.message ?? ''}`] : []),
    ...(end === 'endless' ? ['The playbook never ends.'] : []),
    ...(end === 'skipped' ? ['The playbook skipped it: a later alert runs it again.'] : []),
  ];
}

/** `+45s`, `+2m10s`, `+3h05m`. */
export function timeText(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `+${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `+${minutes}m${String(seconds % 60).padStart(2, '0')}s`
    : `+${Math.floor(minutes / 60)}h${String(minutes % 60).padStart(2, '0')}m`;
}
