import type { WorkloadRef } from '../alert/alert.ts';
import type { Severity } from '../alert/severity.ts';
import type { SilenceProof } from '../assessment/silence-seal.ts';
import type { OutgoingRecord } from '../audit/alert-archive.ts';
import type { ChainHead, RecordSignature } from '../audit/audit.ts';
import type { MessageRef, Notice, ThreadPost } from '../cards/card.ts';
import type { QuestionPost } from '../cards/question-card.ts';
import type { AskedPosture, Posture } from '../cluster/posture.ts';
import type { ApprovalProof, Question, SignedVote } from '../decide/approval.ts';
import type { Answerers } from '../decide/standing.ts';
import type { StepUpPolicy } from '../decide/step-up.ts';
import type { VoteCheck } from '../decide/vote-check.ts';
import type { SignedWarrant } from '../decide/warrant.ts';
import type { ErrorCode } from '../errors.ts';
import type { EvidenceRef } from '../evidence/evidence.ts';
import type { ClickAnswer } from '../incident/click-reply.ts';
import type { AskedEffect, EffectLook } from '../incident/effect.ts';
import type { LeaseTerms } from '../incident/hold.ts';
import type { IncidentRef, Verdict } from '../incident/incident.ts';
import type { SignedRemark } from '../incident/remark.ts';
import type { ParamValue } from '../playbook/params.ts';
import type { Page, PageBegan, PageRef } from '../tickets/paging.ts';
import type { TicketUpdate } from '../tickets/ticket.ts';
import type { TicketNews } from '../tickets/ticket-news.ts';
import type { Pool, UndoResult, Verification } from './action.ts';
import type { Plan } from './plan.ts';

/** One call of an action in a playbook, as the workflow passes it to the chokepoint. */
export interface StepCall {
  readonly key: string;
  readonly action: string;
  /** JSON; the chokepoint checks it by the action's schema. */
  readonly input: unknown;
  readonly incident: IncidentRef;
  readonly incidentTitle: string;
  readonly playbook: string;
  readonly severity: Severity;
  readonly workload?: WorkloadRef;
  /** For a step whose effect lasts for a time. Absent: `defaultLeaseMs`, renewed by silence. */
  readonly lease?: LeaseTerms;
  /** Pods of this incident that are contained or about to be, not counting this one: for the cap per owner. */
  readonly ownerContained: number;
  readonly evidence: readonly EvidenceRef[];
  /** ISO 8601: after this, a destructive step no longer waits for evidence, if the cell comes to the same conclusion. */
  readonly evidenceDeadline: string;
  readonly approval?: ApprovalProof;
  /** People's approval not to wait for evidence: see `waiverOf`. */
  readonly waiver?: ApprovalProof;
  /** The cell's confirmation that both are valid, for a pool that has seen no votes. */
  readonly warrant?: SignedWarrant;
  /** Ids of people whom the incident's alerts name as the actor: their votes do not count. Absent: nobody. */
  readonly actors?: readonly string[];
  /** Why the alert that led to it is not enough to act on without people. */
  readonly doubt?: string;
  /** The cell's confirmation that it has assessed the target as to be cut off without people. */
  readonly assessed?: string;
  /** Nobody has answered a question about containing the target, and silence contains it. */
  readonly unanswered?: SilenceProof;
}

export interface AppliedStep {
  readonly plan: Plan;
  readonly output: unknown;
  /** The terms under which it was taken, according to its note: a call only says what is requested. Absent: nothing was taken for a time. */
  readonly lease?: LeaseTerms & { readonly longestMs?: number };
}

/** Hears the results of steps, for purposes that decide nothing. Returns at once, and never throws. */
export interface StepListener {
  /** The step failed, and is not retried. */
  failed(call: Pick<StepCall, 'incident' | 'action'>, what: 'plan' | 'apply' | 'undo', code: ErrorCode): void;
  /** Called again if the step is requested again. */
  done(call: Pick<StepCall, 'incident' | 'action' | 'input'>, output: unknown): void;
}

/**
 * Why a containment is released: people said so, its lease ended and silence may free it, its step failed, or the part of a playbook that it belongs to failed.
 * On a critical incident a lease ends only with the answer of two people that said `benign`.
 */
export type UndoReason =
  | { readonly kind: 'approved'; readonly proof: ApprovalProof; readonly plan: Plan }
  | { readonly kind: 'lease-ended'; readonly verdict: Verdict; readonly severity: Severity; readonly proof?: ApprovalProof }
  | { readonly kind: 'step-failed' }
  /** It was part of a saga, and a later part failed. */
  | { readonly kind: 'saga-failed' };

export interface UndoCall {
  readonly call: StepCall;
  readonly reason: UndoReason;
}

/** Activities that run where the cluster's rights are (and, for their actions, in the other pools). */
export interface CellActivities {
  planStep(call: StepCall): Promise<Plan>;
  applyStep(call: StepCall): Promise<AppliedStep>;
  /** The fast path: at most 2 s and one mutating call, planned from the cell's watches. */
  applyStepNow(call: StepCall): Promise<AppliedStep>;
  verifyStep(step: { readonly call: StepCall; readonly output: unknown }): Promise<Verification>;
  undoStep(undo: UndoCall): Promise<UndoResult>;
  /** Checks signature, roster, group and question of one vote. No I/O. */
  verifyVote(check: {
    readonly vote: SignedVote;
    readonly question: Question;
    readonly level: number;
    /** Ids of people whom the incident's alerts so far name as the actor. */
    readonly actors?: readonly string[];
  }): Promise<VoteCheck>;
  /** Checks the same for a remark, which decides nothing. */
  verifyRemark(check: { readonly remark: SignedRemark; readonly question: Question; readonly level: number }): Promise<VoteCheck>;
  /** Who may answer a question now, according to the roster. No I/O. */
  answerersTo(asked: { readonly question: Question; readonly actors?: readonly string[] }): Promise<Answerers>;
}

/** Statements that only the cell makes, for its pools. */
export interface WarrantActivities {
  /** For an approved step that another pool does. */
  issueWarrant(call: StepCall): Promise<SignedWarrant>;
  /** For the release of a step that another pool has done and whose release people have approved. */
  issueReleaseWarrant(undo: UndoCall): Promise<SignedWarrant>;
}

/** What only the cell sees and reports: nothing is decided by it. */
export interface LookActivities {
  /** Checks the effect of a quarantine. */
  lookAtEffect(asked: AskedEffect): Promise<EffectLook>;
  /** Checks what a workload is allowed to do. */
  lookAtPosture(asked: AskedPosture): Promise<Posture>;
}

/** Activities that run at the desk, which holds no cluster rights. */
export interface DeskActivities {
  /** Posts the card that the desk derives from the question; the desk signs no answer to any other. */
  postQuestion(post: QuestionPost): Promise<MessageRef | null>;
  updateQuestion(post: QuestionPost): Promise<void>;
  postInThread(post: ThreadPost): Promise<MessageRef | null>;
  /** Posts it, or updates the existing one. */
  showNotice(notice: Notice): Promise<MessageRef | null>;
  answerClick(answer: ClickAnswer): Promise<void>;
  /** The workflow, which has no key, provides the records; the cell adds a signature for each as they leave it. */
  recordAudit(records: readonly OutgoingRecord[], signatures?: readonly RecordSignature[]): Promise<ChainHead>;
}

/** Maximum number of events in one answer of `ticketNews`. */
export const newsAtOnce = 20;

/** Follow-up of an incident in external systems, also at the desk: keeps the ticket up to date, and calls people. */
export interface FollowUpActivities {
  /** Adds the comment, then closes the ticket; each once, however often it is called. */
  updateTicket(update: TicketUpdate): Promise<void>;
  /** Pages under the one key of this page of the incident. */
  callPeople(page: Omit<Page, 'key'> & PageBegan): Promise<void>;
  /** Ends the page: nobody is needed any more. */
  endPage(page: Omit<PageRef, 'key'> & PageBegan & { readonly incident: IncidentRef }): Promise<void>;
  /** What people did to the ticket or the page in its own system, after the event with that number. */
  ticketNews(of: { readonly incident: IncidentRef; readonly after: number }): Promise<readonly TicketNews[]>;
}

/** What an incident is started with, in addition to its first alerts: the cell's settings at that time. */
export interface IncidentSettings {
  readonly queues: Readonly<Record<Pool, string>>;
  readonly playbooks: readonly string[];
  /** Who decides on leases, and is paged when silence renews one. */
  readonly levels: readonly { readonly group: string; readonly withinMs: number; readonly page?: true }[];
  /** Available systems for following it up: absent if neither a ticket system nor a pager is configured. */
  readonly followUp?: { readonly tickets: boolean; readonly pages: boolean };
  readonly evidenceDeadlineMs: number;
  /** How long an incident with nothing left to do waits for further alerts before it ends. */
  readonly lingerMs: number;
  /** Nothing may be done where it is, by the configuration at that time: it goes on as if, and asks and pages nobody. Absent: something may. */
  readonly observed?: true;
  /** Namespaces in which one person's approval is not enough. */
  readonly protectedNamespaces?: readonly string[];
  /** Choices for which people are told to sign in. Absent: none. */
  readonly stepUp?: Pick<StepUpPolicy, 'reaches'>;
  /** Actions without which bodies continue: those that read or keep evidence and are off, and those that are turned on and cannot work. Absent: none. */
  readonly unavailable?: readonly string[];
  /** Actions that follow each quarantine of a pod, in this order, in addition to the playbook. Absent: none. */
  readonly afterQuarantine?: readonly string[];
  /** Whether to read what the workload is allowed to do when the incident opens. Absent: no. */
  readonly posture?: true;
  /** When to check after a quarantine whether it has helped, in milliseconds. Absent: never. */
  readonly effectChecksMs?: readonly number[];
  /** Whether these checks also count the pods' open connections on their nodes. Absent: no. */
  readonly countsConnections?: true;
  /** Playbook parameters set by configuration, by playbook id. Absent: none, the defaults apply. */
  readonly params?: Readonly<Record<string, Readonly<Record<string, ParamValue>>>>;
  /** Maximum number of bodies that run at the same time. */
  readonly maxBodies: number;
  /**
   * Hash of all workflows and playbooks as built, for the record: of the build that the cell began the incident with, on which it stays. What Temporal reports
   * may differ when a history is replayed. Absent in tests.
   */
  readonly build?: string;
  /** SHA-256 of the cell's configuration file, for the record. Absent in tests. */
  readonly configuration?: string;
}

/** The uid of the pod that a step's input is about, whatever the field is called. */
export function podUidOf(input: unknown): string | undefined {
  if (typeof input !== 'object' || input === null) return undefined;
  for (const value of Object.values(input)) {
    if (typeof value === 'object' && value !== null && 'uid' in value && typeof value.uid === 'string') return value.uid;
  }
  return undefined;
}
