import type { IntakeReport } from '../alert/intake-report.ts';
import type { StormState } from '../alert/storm.ts';
import type { CarriedRecords, HandedState, OutgoingRecord } from '../audit/alert-archive.ts';
import type { KeyName } from '../evidence/incident-key.ts';
import type { IncidentRef } from '../incident/incident.ts';
import type { QuestionState, TimelineEntry } from '../incident/incident-state.ts';
import type { SignedEnd, SignedEvidenceOrder } from '../orders/order.ts';
import type { Level } from './approval.ts';
import type { DecisionState, PromptOrder, ProvenDecision, SignedProposal } from './decision.ts';

/** Names by which a cluster's control workflow is reached. Votes and the state are asked for as of an incident. */
export const controlNames = {
  workflow: 'control',
  /** A person orders something. What it is, its signed kind says. */
  orderSignal: 'order',
  voteSignal: 'vote',
  /** What an intake says of a storm. Shown, and nothing else. */
  stormSignal: 'storm',
  /** The health of each intake and its sensors. Shown, and nothing else. */
  intakeSignal: 'intake',
  /** A cell asks for a look at what is kept longer than it may be. */
  expireEvidenceSignal: 'expireEvidence',
  /** A cell says what it goes by, to a workflow that has lost it. */
  recallSignal: 'recall',
  /** Go on under the current build. */
  handOverSignal: 'handOver',
  stateQuery: 'state',
} as const;

/** What is decided above all incidents of one cluster. It proves itself: the cell believes none of it without the signatures. */
export interface ControlState {
  readonly incident: IncidentRef;
  readonly cluster: string;
  readonly decisions: readonly DecisionState[];
  readonly questions: readonly QuestionState[];
  readonly timeline: readonly TimelineEntry[];
  readonly audit: { readonly acknowledged: number; readonly made: number };
  /** Absent: a build that knows of none. */
  readonly handed?: HandedState;
  /** While one is on. */
  readonly storm?: StormState;
  /** What each intake said last. Absent: none has said anything. */
  readonly intakes?: readonly IntakeReport[];
}

/** What a person has proposed, as a cell has taken it. People are asked again: a vote counts in the run in which it was given. */
export interface OpenProposal {
  readonly proposal: SignedProposal;
  /** What who proposes it is called. */
  readonly name: string;
  readonly levels: readonly Level[];
  /** For people to see: each yes to it needs a sign-in. */
  readonly stepUp?: true;
}

/**
 * What a cell goes by and the workflow does not name any more: whoever reaches Temporal can set it back. People would be shown that nothing is frozen
 * while all of it is, and wait for an answer that nobody is asked for.
 */
export interface KnownDecisions {
  /** In force. */
  readonly decided: readonly ProvenDecision[];
  /** Over, by somebody's order. */
  readonly ended: readonly SignedEnd[];
  /** Not decided yet. */
  readonly proposed: readonly OpenProposal[];
  /** Over, by orders of which the workflow says nothing: it was ended before it had them on record. Absent: none. */
  readonly unrecorded?: readonly UnrecordedEnd[];
  /** Of runs that were ended or set back before the audit store had them. Absent: none. */
  readonly records?: readonly OutgoingRecord[];
}

/** What a person has ended, as a cell has taken the order. */
export interface UnrecordedEnd {
  readonly end: SignedEnd;
  readonly proposal: SignedProposal;
}

/** An order of a person that was accepted, by the digest of what was signed. */
export interface AcceptedOrder {
  readonly digest: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Whether it was sent again since. */
  readonly copied: boolean;
}

/** A card of a proposal that does not show how it stands. */
export interface UnshownCard {
  readonly question: string;
  /** Absent at the desk: it is posted first. */
  readonly isPosted: boolean;
}

export interface CarriedControl {
  readonly state: ControlState;
  readonly pendingRecords: readonly OutgoingRecord[];
  /** Of runs before this one that somebody has ended. */
  readonly handedRecords?: CarriedRecords;
  readonly orders: readonly AcceptedOrder[];
  /** What people are called, by their ids: for the texts, and for nothing else. Absent: of a run that kept none. */
  readonly names?: Readonly<Record<string, string>>;
  readonly cards?: readonly UnshownCard[];
}

/** The one argument of the control workflow. */
export interface ControlInput {
  readonly cluster: string;
  readonly queues: { readonly cell: string; readonly desk: string };
  readonly carried?: CarriedControl;
  /** What the cell knew, when the workflow itself was lost: what is in force, and what was not decided yet. */
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
      /** Of a proposal: each yes to it needs a sign-in. For people to see. */
      readonly stepUp?: true;
      /** Of an order that starts an incident: the one that has it now. */
      readonly incident?: string;
    }
  | { readonly ok: false; readonly reason: string };

/** What the control workflow asks of the cell, which knows roster and keys. */
export interface ControlActivities {
  /** Proves an order. One that starts an incident is handed to the intake as the alert that it is: the same order is one alert. */
  takeOrder(signed: unknown): Promise<OrderAnswer>;
}

export type EvidenceOrderAnswer =
  | {
      readonly ok: true;
      readonly order: SignedEvidenceOrder;
      readonly name: string;
      /** Of an order to destroy: ids of the keys that it means. */
      readonly keys: readonly string[];
    }
  | { readonly ok: false; readonly reason: string };

export type EvidenceOrderDone =
  /** `asked`: one more person has to order the same before it is done. */
  { readonly ok: true; readonly text: string; readonly asked?: true } | { readonly ok: false; readonly reason: string };

/** What the control workflow asks of the cell about what is kept; the cell has the store. */
export interface EvidenceActivities {
  checkEvidenceOrder(signed: unknown): Promise<EvidenceOrderAnswer>;
  carryOutEvidenceOrder(signed: unknown): Promise<EvidenceOrderDone>;
  /** Some of the keys whose time is over, and which nothing keeps. `except`: ids of those that are known already. */
  findExpiredEvidence(asked: { readonly except: readonly string[] }): Promise<readonly KeyName[]>;
  /** Checks that again. */
  destroyExpiredEvidence(id: string): Promise<EvidenceOrderDone>;
}
