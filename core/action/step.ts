import type { WorkloadRef } from '../alert/alert.ts';
import type { Severity } from '../alert/severity.ts';
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

/** One call of an action in a playbook, as the workflow hands it to the chokepoint. */
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
  /** Of a step whose effect lasts for a time. Absent: as long as `defaultLeaseMs`, and silence renews it. */
  readonly lease?: LeaseTerms;
  /** Pods of this incident that are contained or about to be, this one not counted: for the cap per owner. */
  readonly ownerContained: number;
  readonly evidence: readonly EvidenceRef[];
  /** ISO 8601: after this a destructive step no longer waits for evidence, where the cell comes to the same. */
  readonly evidenceDeadline: string;
  readonly approval?: ApprovalProof;
  /** People's word that it need not wait for evidence: see `waiverOf`. */
  readonly waiver?: ApprovalProof;
  /** The cell's word that both hold, for a pool that has seen no votes. */
  readonly warrant?: SignedWarrant;
  /** Ids of people whom the incident's alerts name as the actor: no vote of theirs counts. Absent: nobody. */
  readonly actors?: readonly string[];
  /** Why the alert behind it is not enough to act on without people. */
  readonly doubt?: string;
}

export interface AppliedStep {
  readonly plan: Plan;
  readonly output: unknown;
  /** On which terms it was taken, as the note on it says: a call says no more than what is asked for. Absent: nothing was taken for a time. */
  readonly lease?: LeaseTerms & { readonly longestMs?: number };
}

/** Who hears what came of steps, for what decides nothing. It answers at once, and never throws. */
export interface StepListener {
  /** It is not tried again. */
  failed(call: Pick<StepCall, 'incident' | 'action'>, what: 'plan' | 'apply' | 'undo', code: ErrorCode): void;
  /** Again, where it is asked for again. */
  done(call: Pick<StepCall, 'incident' | 'action' | 'input'>, output: unknown): void;
}

/**
 * Why a containment is given back: people said so, its lease ended where silence may free, its step did not come about, or the part of
 * a playbook that it belongs to did not. On a critical incident a lease ends only with the answer of two people that said `benign`.
 */
export type UndoReason =
  | { readonly kind: 'approved'; readonly proof: ApprovalProof; readonly plan: Plan }
  | { readonly kind: 'lease-ended'; readonly verdict: Verdict; readonly severity: Severity; readonly proof?: ApprovalProof }
  | { readonly kind: 'step-failed' }
  /** It was part of a saga, of which a later part failed. */
  | { readonly kind: 'saga-failed' };

export interface UndoCall {
  readonly call: StepCall;
  readonly reason: UndoReason;
}

/** What runs where the cluster's rights are (and, for their actions, in the other pools). */
export interface CellActivities {
  planStep(call: StepCall): Promise<Plan>;
  applyStep(call: StepCall): Promise<AppliedStep>;
  /** The fast path: at most 2 s and one mutating call, planned from what the cell watches. */
  applyStepNow(call: StepCall): Promise<AppliedStep>;
  verifyStep(step: { readonly call: StepCall; readonly output: unknown }): Promise<Verification>;
  undoStep(undo: UndoCall): Promise<UndoResult>;
  /** Signature, roster, group and question of one vote. No I/O. */
  verifyVote(check: {
    readonly vote: SignedVote;
    readonly question: Question;
    readonly level: number;
    /** Ids of people whom the incident's alerts name as the actor by now. */
    readonly actors?: readonly string[];
  }): Promise<VoteCheck>;
  /** The same of what somebody says without deciding. */
  verifyRemark(check: { readonly remark: SignedRemark; readonly question: Question; readonly level: number }): Promise<VoteCheck>;
  /** Who may answer a question now, by the roster. No I/O. */
  answerersTo(asked: { readonly question: Question; readonly actors?: readonly string[] }): Promise<Answerers>;
}

/** What only the cell says, to its pools. */
export interface WarrantActivities {
  /** Of an approved step that another pool does. */
  issueWarrant(call: StepCall): Promise<SignedWarrant>;
  /** Of the release of a step that another pool has done, which people have approved. */
  issueReleaseWarrant(undo: UndoCall): Promise<SignedWarrant>;
}

/** What only the cell sees, and says of itself: nothing is decided by it. */
export interface LookActivities {
  /** What has become of a quarantine. */
  lookAtEffect(asked: AskedEffect): Promise<EffectLook>;
  /** What a workload is allowed. */
  lookAtPosture(asked: AskedPosture): Promise<Posture>;
}

/** What runs at the desk, which holds no cluster rights. */
export interface DeskActivities {
  /** Posts the card that the desk makes of the question, and signs no answer to another one. */
  postQuestion(post: QuestionPost): Promise<MessageRef | null>;
  updateQuestion(post: QuestionPost): Promise<void>;
  postInThread(post: ThreadPost): Promise<MessageRef | null>;
  /** Posts it, or brings the one that is there up to date. */
  showNotice(notice: Notice): Promise<MessageRef | null>;
  answerClick(answer: ClickAnswer): Promise<void>;
  /** The workflow, which has no key, gives the records; the cell adds a signature for each as they leave it. */
  recordAudit(records: readonly OutgoingRecord[], signatures?: readonly RecordSignature[]): Promise<ChainHead>;
}

/** The most events that one answer of `ticketNews` holds. */
export const newsAtOnce = 20;

/** What follows an incident outside, at the desk too: the ticket is kept up to date, and people are called. */
export interface FollowUpActivities {
  /** The comment, then the closing; both once, however often it is called. */
  updateTicket(update: TicketUpdate): Promise<void>;
  /** Under the one key that this page of the incident has. */
  callPeople(page: Omit<Page, 'key'> & PageBegan): Promise<void>;
  /** Nobody is needed any more. */
  endPage(page: Omit<PageRef, 'key'> & PageBegan & { readonly incident: IncidentRef }): Promise<void>;
  /** What people did to the ticket or the page where it is, after the event of that number. */
  ticketNews(of: { readonly incident: IncidentRef; readonly after: number }): Promise<readonly TicketNews[]>;
}

/** What an incident is started with besides its first alerts: the cell's settings at that time. */
export interface IncidentSettings {
  readonly queues: Readonly<Record<Pool, string>>;
  readonly playbooks: readonly string[];
  /** Who decides on leases, and is paged when one is renewed in silence. */
  readonly levels: readonly { readonly group: string; readonly withinMs: number; readonly page?: true }[];
  /** What there is to follow it with: absent where neither a ticket system nor a pager is configured. */
  readonly followUp?: { readonly tickets: boolean; readonly pages: boolean };
  readonly evidenceDeadlineMs: number;
  /** How long an incident with nothing left to do waits for further alerts before it ends. */
  readonly lingerMs: number;
  /** Namespaces in which one person's word is not enough. */
  readonly protectedNamespaces?: readonly string[];
  /** Choices for which people are told to sign in. Absent: none. */
  readonly stepUp?: Pick<StepUpPolicy, 'reaches'>;
  /** Actions that look and keep, and are off or have no tools: bodies go on without them. Absent: none. */
  readonly unavailable?: readonly string[];
  /** Actions that follow each quarantine of a pod, in this order, beside the playbook. Absent: none. */
  readonly afterQuarantine?: readonly string[];
  /** What the workload is allowed is read when the incident opens. Absent: it is not. */
  readonly posture?: true;
  /** When after a quarantine it is looked whether it has helped, in milliseconds. Absent: never. */
  readonly effectChecksMs?: readonly number[];
  /** Then what its pods have open is counted on their nodes, too. Absent: it is not. */
  readonly countsConnections?: true;
  /** What configuration has set of the parameters of playbooks, by their ids. Absent: nothing, the defaults count. */
  readonly params?: Readonly<Record<string, Readonly<Record<string, ParamValue>>>>;
  /** Bodies that may run at the same time. */
  readonly maxBodies: number;
  /**
   * The hash of all workflows and playbooks as they were built, for the record: of the build that the cell began it with, on which it stays. What
   * Temporal says of it is another thing when a history is read again. Absent in tests.
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
