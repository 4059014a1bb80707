import type { IntakeReport } from '../alert/intake-report.ts';
import type { StormState } from '../alert/storm.ts';
import type { CarriedRecords, HandedState, OutgoingRecord } from '../audit/alert-archive.ts';
import type { KeyName } from '../evidence/incident-key.ts';
import type { IncidentRef } from '../incident/incident.ts';
import type { QuestionState, TimelineEntry } from '../incident/incident-state.ts';
import type { SignedEnd, SignedEvidenceOrder } from '../orders/order.ts';
import type { Level } from './approval.ts';
import type { DecisionState, PromptOrder, ProvenDecision, SignedProposal } from './decision.ts';

/** Names by which a cluster's control workflow is reached. Votes and the state use the same names as for an incident. */
export const controlNames = {
  workflow: 'control',
  /** A person's order. Its signed kind says what it is. */
  orderSignal: 'order',
  voteSignal: 'vote',
  /** An intake's report about a storm. Only shown. */
  stormSignal: 'storm',
  /** The health of each intake and its sensors. Only shown. */
  intakeSignal: 'intake',
  /** A cell reports a run that its playbook runners cannot run any more. */
  setAsideSignal: 'setAside',
  /** A cell asks for a check for evidence that is kept longer than allowed. */
  expireEvidenceSignal: 'expireEvidence',
  /** A cell sends the decisions it relies on to a workflow that has lost them. */
  recallSignal: 'recall',
  /** Continues under the current build. */
  handOverSignal: 'handOver',
  stateQuery: 'state',
} as const;

/** What is decided above all incidents of one cluster. It contains its own proof: the cell believes none of it without the signatures. */
export interface ControlState {
  readonly incident: IncidentRef;
  readonly cluster: string;
  readonly decisions: readonly DecisionState[];
  readonly questions: readonly QuestionState[];
  readonly timeline: readonly TimelineEntry[];
  readonly audit: { readonly acknowledged: number; readonly made: number };
  /** Absent: the build does not know of any. */
  readonly handed?: HandedState;
  /** Set during a storm. */
  readonly storm?: StormState;
  /** The last report of each intake. Absent: there was none. */
  readonly intakes?: readonly IntakeReport[];
}

/** An incident's run that has ended its playbook runner twice. It can ask and record nothing itself. */
export interface HaltedRunReport {
  readonly incident: IncidentRef;
  /** What became of its runner. */
  readonly why: string;
  /** Playbooks that its alerts call for, as the cell itself has heard them: one of them did it. Empty or absent: unknown. */
  readonly playbooks?: readonly string[];
  /** Pods of it that stay contained, as `namespace/name`. */
  readonly contained: readonly string[];
}

/** A person's proposal, as accepted by a cell. People are asked again: a vote only counts in the run in which it was given. */
export interface OpenProposal {
  readonly proposal: SignedProposal;
  /** Name of the person who proposes it. */
  readonly name: string;
  readonly levels: readonly Level[];
  /** Only informs people: each yes to it needs a sign-in. */
  readonly stepUp?: true;
}

/**
 * Decisions that a cell relies on and the workflow no longer names: anyone who can reach Temporal can reset it. People would be shown that nothing is frozen
 * although it is, and wait for an answer to a question that nobody is asked.
 */
export interface KnownDecisions {
  /** In force. */
  readonly decided: readonly ProvenDecision[];
  /** Ended by somebody's order. */
  readonly ended: readonly SignedEnd[];
  /** Not decided yet. */
  readonly proposed: readonly OpenProposal[];
  /** Ended by orders that the workflow does not know: it was ended before it had them on record. Absent: none. */
  readonly unrecorded?: readonly UnrecordedEnd[];
  /** Records of runs that were ended or reset before the audit store had them. Absent: none. */
  readonly records?: readonly OutgoingRecord[];
}

/** What a person has ended, as the cell accepted the order. */
export interface UnrecordedEnd {
  readonly end: SignedEnd;
  readonly proposal: SignedProposal;
}

/** A person's order that was accepted, by the digest of what was signed. */
export interface AcceptedOrder {
  readonly digest: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Whether it was resent since. */
  readonly copied: boolean;
}

/** A card of a proposal that does not show the current state. */
export interface UnshownCard {
  readonly question: string;
  /** False if the desk does not have it yet: it is posted first. */
  readonly isPosted: boolean;
}

export interface CarriedControl {
  readonly state: ControlState;
  readonly pendingRecords: readonly OutgoingRecord[];
  /** Records of earlier runs that somebody has ended. */
  readonly handedRecords?: CarriedRecords;
  readonly orders: readonly AcceptedOrder[];
  /** Names of people, by their ids: only for texts. Absent: from a run that stored none. */
  readonly names?: Readonly<Record<string, string>>;
  readonly cards?: readonly UnshownCard[];
}

/** The only argument of the control workflow. */
export interface ControlInput {
  readonly cluster: string;
  readonly queues: { readonly cell: string; readonly desk: string };
  readonly carried?: CarriedControl;
  /** What the cell knew when the workflow itself was lost: what is in force, and what was not decided yet. */
  readonly restored?: readonly ProvenDecision[];
  readonly proposed?: readonly OpenProposal[];
}

export type OrderAnswer =
  | {
      readonly ok: true;
      readonly order: PromptOrder;
      readonly name: string;
      /** Who is asked about a proposal. */
      readonly levels: readonly Level[];
      /** For a proposal: each yes to it needs a sign-in. Only informs people. */
      readonly stepUp?: true;
      /** For an order that starts an incident: the incident that now handles it. */
      readonly incident?: string;
    }
  | { readonly ok: false; readonly reason: string };

/** What the control workflow asks of the cell, which has the roster and the keys. */
export interface ControlActivities {
  /** Verifies an order. One that starts an incident is passed to the intake as an alert: the same order is one alert. */
  takeOrder(signed: unknown): Promise<OrderAnswer>;
}

export type EvidenceOrderAnswer =
  | {
      readonly ok: true;
      readonly order: SignedEvidenceOrder;
      readonly name: string;
      /** For an order to destroy: ids of the keys that it means. */
      readonly keys: readonly string[];
    }
  | { readonly ok: false; readonly reason: string };

export type EvidenceOrderDone =
  /** `asked`: a second person has to give the same order before it is carried out. */
  { readonly ok: true; readonly text: string; readonly asked?: true } | { readonly ok: false; readonly reason: string };

/** What the control workflow asks of the cell about kept evidence; the cell has the store. */
export interface EvidenceActivities {
  checkEvidenceOrder(signed: unknown): Promise<EvidenceOrderAnswer>;
  carryOutEvidenceOrder(signed: unknown): Promise<EvidenceOrderDone>;
  /** Returns some of the keys that have expired and that nothing keeps. `except`: ids of those that are known already. */
  findExpiredEvidence(asked: { readonly except: readonly string[] }): Promise<readonly KeyName[]>;
  /** Checks again that the key has expired, and destroys it. */
  destroyExpiredEvidence(id: string): Promise<EvidenceOrderDone>;
}
