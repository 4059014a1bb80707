import type { Verification } from '../action/action.ts';
import type { PodImage } from '../action/image-signature.ts';
import type { Plan, TargetName } from '../action/plan.ts';
import type { AlertKind, HarmlessDecision } from '../alert/coverage.ts';
import type { Severity } from '../alert/severity.ts';
import type { Posture } from '../cluster/posture.ts';
import type { Question, SignedVote } from '../decide/approval.ts';
import type { FormAnswers } from '../decide/form.ts';
import type { Answerers } from '../decide/standing.ts';
import type { EvidenceRef } from '../evidence/evidence.ts';
import type { TicketLink } from '../tickets/ticket.ts';
import type { EffectLook } from './effect.ts';
import type { AlertCount, IncidentRef, Reached, Subject, Verdict } from './incident.ts';
import type { Lease } from './lease.ts';

export interface TimelineEntry {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly kind: string;
  readonly actor: string;
  readonly text: string;
  /** Signature of the vote or order that it says something of: whoever sent that one finds it by this. */
  readonly of?: string;
}

/** Which vote or order an entry is of, by the body of its record. */
export function entryOf(body: Readonly<Record<string, unknown>>): Pick<TimelineEntry, 'of'> {
  return typeof body.signature === 'string' ? { of: body.signature } : {};
}

export interface StepState {
  readonly key: string;
  readonly playbook: string;
  readonly action: string;
  readonly target: TargetName;
  /** `skipped`: it had nothing to do, as the detail says. */
  readonly state:
    | 'planned'
    | 'running'
    | 'applied'
    | 'verified'
    | 'unverified'
    | 'partial'
    | 'failed'
    | 'undone'
    | 'drifted'
    | 'skipped';
  readonly detail: string;
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly verification?: Verification;
  /** What the cell found last when it looked whether a quarantine has helped. */
  readonly effect?: { readonly afterMs: number; readonly look: EffectLook };
}

export interface BodyState {
  readonly playbook: string;
  readonly subjectKey: string;
  /** `skipped`: it has said that this alert is not for it, and has done nothing; the next one runs it anew. */
  readonly state: 'waiting' | 'running' | 'done' | 'failed' | 'skipped';
  readonly alerts: number;
  readonly detail?: string;
  /** ISO 8601, UTC: it sleeps until then, if nothing wakes it. */
  readonly asleepUntil?: string;
  /** How often it has been skipped, one time after another. */
  readonly skips?: number;
  /** What it has heard of so far. */
  readonly kinds: readonly AlertKind[];
  /** People's answer, where they called it harmless. */
  readonly decided?: HarmlessDecision;
  /** What this body says it was. The incident's verdict is the worst of them. */
  readonly verdict?: Verdict;
  /** The question whose answer the verdict rests on. */
  readonly verdictFrom?: string;
}

type QuestionStatus =
  | { readonly state: 'open' }
  | {
      readonly state: 'decided';
      readonly choice: string;
      readonly by: readonly string[];
      readonly at: string;
      /** What all of them have filled in, where the choice has a form. */
      readonly answers?: FormAnswers;
    }
  | { readonly state: 'expired'; readonly at: string }
  | { readonly state: 'void'; readonly why: string; readonly at: string };

export interface QuestionState {
  readonly question: Question;
  readonly digest: string;
  readonly status: QuestionStatus;
  readonly votes: readonly SignedVote[];
  /** Earlier votes of people who changed their minds. */
  readonly withdrawn?: readonly SignedVote[];
  /** Somebody said no: only later levels than theirs may overrule it, and silence lets it stand. */
  readonly veto?: { readonly choice: string; readonly by: string; readonly level: number; readonly at: string };
  /** Index into `question.levels`. */
  readonly level: number;
  readonly levelUntil: string;
  readonly askedAt: string;
  readonly plans: readonly Plan[];
  /** Who may answer, as the cell said last; absent where it could not say in time. */
  readonly answerers?: Answerers;
}

/** What the `state` query answers, and what `incidents show` prints. */
export interface IncidentState {
  readonly incident: IncidentRef;
  readonly subject: Subject;
  readonly title: string;
  readonly severity: Severity;
  readonly verdict: Verdict;
  readonly verdictWhy?: string;
  readonly reached: Reached;
  readonly open: boolean;
  readonly openedAt: string;
  readonly counts: readonly AlertCount[];
  readonly total: number;
  readonly timeline: readonly TimelineEntry[];
  readonly steps: readonly StepState[];
  readonly bodies: readonly BodyState[];
  /** Asked by playbooks, and one standing question per lease (`lease:ID`: extend, keep, release). */
  readonly questions: readonly QuestionState[];
  readonly leases: readonly Lease[];
  /** Ids of people whom the alerts name as the actor: they may not decide on this incident. Absent: nobody. */
  readonly actors?: readonly string[];
  /** Ids of people who have ordered it by hand: others decide, see `standing.ts`. Absent: nobody. */
  readonly requesters?: readonly string[];
  readonly evidence: readonly EvidenceRef[];
  /** What is known of the signatures of what runs; absent where nobody has looked. */
  readonly images?: readonly PodImage[];
  /** What the workload was allowed when the incident opened. Absent: not read. */
  readonly posture?: Posture;
  readonly tickets?: readonly TicketLink[];
  /** Records handed to the audit store / made so far. */
  readonly audit: { readonly acknowledged: number; readonly made: number };
}
