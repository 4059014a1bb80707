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

/** What one alert says happened. Only shown: the names in it may be the attacker's. */
export interface RanState {
  /** Who did what, where: see `whatRan`. */
  readonly sentence: string;
  readonly rule: string;
  readonly commandLine?: string;
}

export interface TimelineEntry {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly kind: string;
  readonly actor: string;
  readonly text: string;
  /** Signature of the vote or order that the entry is about, so that its sender can find the entry. */
  readonly of?: string;
}

/** The vote or order that an entry is about, taken from its record's body. */
export function entryOf(body: Readonly<Record<string, unknown>>): Pick<TimelineEntry, 'of'> {
  return typeof body.signature === 'string' ? { of: body.signature } : {};
}

export interface StepState {
  readonly key: string;
  readonly playbook: string;
  readonly action: string;
  readonly target: TargetName;
  /** `skipped`: there was nothing to do, as the detail says. */
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
  /** The cell's last finding on whether a quarantine has helped. */
  readonly effect?: { readonly afterMs: number; readonly look: EffectLook };
}

export interface BodyState {
  readonly playbook: string;
  readonly subjectKey: string;
  /** `skipped`: the playbook said that this alert is not for it and did nothing; the next alert runs it again. */
  readonly state: 'waiting' | 'running' | 'done' | 'failed' | 'skipped';
  readonly alerts: number;
  readonly detail?: string;
  /** ISO 8601, UTC: it sleeps until then, unless something wakes it. */
  readonly asleepUntil?: string;
  /** Number of consecutive times it has been skipped. */
  readonly skips?: number;
  /** It would have asked people, but its alerts are only filed or recorded. */
  readonly withheld?: true;
  /** Kinds of alerts that it has received so far. */
  readonly kinds: readonly AlertKind[];
  /** People's answer, if they called it harmless. */
  readonly decided?: HarmlessDecision;
  /** This body's verdict. The incident's verdict is the worst of them. */
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
      /** The voters' combined form answers, if the choice has a form. */
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
  /** Somebody said no: only higher levels than theirs may overrule it, and silence lets it stand. */
  readonly veto?: { readonly choice: string; readonly by: string; readonly level: number; readonly at: string };
  /** Index into `question.levels`. */
  readonly level: number;
  readonly levelUntil: string;
  readonly askedAt: string;
  readonly plans: readonly Plan[];
  /** Who may answer, as the cell last reported; absent if it could not say in time. */
  readonly answerers?: Answerers;
  /** The cell's confirmation of when it was told that the question has been put before people: see `sealHeard`. Absent: silence does nothing. */
  readonly heard?: string;
}

/** Result of the `state` query, printed by `incidents show`. */
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
  /** The first of the worst alerts. Absent: begun by a version that did not keep it. */
  readonly ran?: RanState;
  readonly counts: readonly AlertCount[];
  readonly total: number;
  readonly timeline: readonly TimelineEntry[];
  readonly steps: readonly StepState[];
  readonly bodies: readonly BodyState[];
  /** Questions asked by playbooks, and one standing question per lease (`lease:ID`: extend, keep, release). */
  readonly questions: readonly QuestionState[];
  readonly leases: readonly Lease[];
  /** Ids of people whom the alerts name as the actor: they may not decide on this incident. Absent: none. */
  readonly actors?: readonly string[];
  /** Ids of people who ordered the incident by hand: others decide, see `standing.ts`. Absent: none. */
  readonly requesters?: readonly string[];
  readonly evidence: readonly EvidenceRef[];
  /** What is known about the signatures of the running images; absent if they were not checked. */
  readonly images?: readonly PodImage[];
  /** The workload's permissions when the incident opened. Absent: not read. */
  readonly posture?: Posture;
  readonly tickets?: readonly TicketLink[];
  /** Records handed to the audit store / made so far. */
  readonly audit: { readonly acknowledged: number; readonly made: number };
}
