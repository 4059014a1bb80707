import type { StormState } from '../alert/storm.ts';
import type { AuditRecord } from '../audit/audit.ts';
import type { KeyName } from '../evidence/incident-key.ts';
import type { IncidentRef } from '../incident/incident.ts';
import type { QuestionState, TimelineEntry } from '../incident/incident-state.ts';
import type { SignedReadEvidence } from '../orders/evidence-access.ts';
import type { SignedEvidenceOrder } from '../orders/evidence-order.ts';
import type { SignedIncidentOrder } from '../orders/incident-order.ts';
import type { SignedRestraint, SignedRestraintEnd } from '../orders/restraint.ts';
import type { SignedEnd, SignedProposal } from '../orders/suppression.ts';
import type { Level } from './approval.ts';
import type { DecidedAnything, DecisionProposal } from './decision.ts';

/** Names by which a cluster's control workflow is reached. Votes and the state are asked for as of an incident. */
export const controlNames = {
  workflow: 'control',
  proposeSignal: 'propose',
  endSignal: 'end',
  voteSignal: 'vote',
  /** What an intake says of a storm. Shown, and nothing else. */
  stormSignal: 'storm',
  /** Somebody wants to be given evidence: it goes on the record first. */
  readSignal: 'read',
  /** Somebody wants evidence destroyed, held, or no longer held. */
  evidenceSignal: 'evidence',
  /** A cell asks for a look at what is kept longer than it may be. */
  expireEvidenceSignal: 'expireEvidence',
  /** Somebody starts an incident by hand. */
  startIncidentSignal: 'startIncident',
  /** Go on under the current build. */
  handOverSignal: 'handOver',
  stateQuery: 'state',
} as const;

export type DecisionStatus<End = SignedEnd | SignedRestraintEnd> =
  | { readonly state: 'proposed' }
  | { readonly state: 'active'; readonly since: string }
  /** Before it was active, or since. */
  | { readonly state: 'rejected' | 'lapsed' | 'expired'; readonly at: string }
  | { readonly state: 'ended'; readonly at: string; readonly by: End };

export interface SuppressionState {
  readonly proposal: SignedProposal;
  /** Which of the state's questions it is decided by. */
  readonly question: string;
  readonly status: DecisionStatus<SignedEnd>;
}

export interface RestraintState {
  readonly proposal: SignedRestraint;
  readonly question: string;
  readonly status: DecisionStatus<SignedRestraintEnd>;
}

/**
 * What is decided above all incidents of one cluster. Each kind of decision is a list of its own; suppressions and restraints. What is in here
 * proves itself: the cell believes none of it without the signatures.
 */
export interface ControlState {
  readonly incident: IncidentRef;
  readonly cluster: string;
  readonly suppressions: readonly SuppressionState[];
  /** Absent in what an older build says. */
  readonly restraints?: readonly RestraintState[];
  readonly questions: readonly QuestionState[];
  readonly timeline: readonly TimelineEntry[];
  readonly audit: { readonly acknowledged: number; readonly made: number };
  /** While one is on. */
  readonly storm?: StormState;
}

export interface CarriedControl {
  readonly state: ControlState;
  readonly pendingRecords: readonly AuditRecord[];
}

/** The one argument of the control workflow. */
export interface ControlInput {
  readonly cluster: string;
  readonly queues: { readonly cell: string; readonly desk: string };
  readonly carried?: CarriedControl;
  /** What the cell knew, when the workflow itself was lost. */
  readonly restored?: readonly DecidedAnything[];
}

export type OrderCheck<Order> =
  | {
      readonly ok: true;
      readonly order: Order;
      readonly name: string;
      readonly levels: readonly Level[];
      /** Of a proposal: each yes to it needs a sign-in. For people to see. */
      readonly stepUp?: true;
    }
  | { readonly ok: false; readonly reason: string };

export type IncidentOrderAnswer =
  | { readonly ok: true; readonly order: SignedIncidentOrder; readonly name: string; readonly incident: string }
  | { readonly ok: false; readonly reason: string };

/** What the control workflow asks of the cell, which knows roster and keys. */
export interface ControlActivities {
  checkProposal(signed: unknown): Promise<OrderCheck<DecisionProposal>>;
  checkEnd(signed: unknown): Promise<OrderCheck<SignedEnd | SignedRestraintEnd>>;
  checkReading(signed: unknown): Promise<OrderCheck<SignedReadEvidence>>;
  /** Checks it, and hands it to the intake as the alert that it is: the same order is one alert. */
  takeIncidentOrder(signed: unknown): Promise<IncidentOrderAnswer>;
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
