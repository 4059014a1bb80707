import type { ExportOrder } from '../bundle/bundle.ts';
import { labelOfPlans } from '../cards/choice-label.ts';
import type { IncidentRef } from '../incident/incident.ts';
import type {
  DeadlineOrder,
  MeasureAvailable,
  NotificationSent,
  StartDeadlines,
  StopDeadlines,
} from '../orders/deadline-order.ts';
import type { RerunIncident, StartIncident } from '../orders/incident-order.ts';
import {
  approveChoice,
  controlIdOf,
  type DecisionKind,
  type DecisionNoun,
  type EndDecision,
  type EvidenceOrder,
  proposedUntil,
  type ReadEvidence,
  rejectChoice,
  type SignedEnd,
  type SignedOrder,
} from '../orders/order.ts';
import { type ProposePromotion, promotionKind } from '../orders/promotion.ts';
import type { HoldRecords, RecordOrder, RemoveContent, UnholdRecords } from '../orders/record-hold.ts';
import { type ProposeRestraint, restraintKind } from '../orders/restraint.ts';
import { type ProposeSuppression, suppressionKind } from '../orders/suppression.ts';
import { type ApprovalProof, type Level, type Question, questionDigest } from './approval.ts';

/** What people decide on above all incidents: each kind of decision is one declaration, and one line here and in `order.schema.ts`. */
export type Propose = ProposeSuppression | ProposeRestraint | ProposePromotion;
export type SignedProposal = SignedOrder<ProposeSuppression> | SignedOrder<ProposeRestraint> | SignedOrder<ProposePromotion>;

/** The orders that the control workflow of a cluster accepts: the cell verifies each first. */
export type AnyOrder =
  | Propose
  | EndDecision
  | ReadEvidence
  | EvidenceOrder
  | ExportOrder
  | RecordOrder
  | DeadlineOrder
  | StartIncident
  | RerunIncident;

/** An order that is handled at once. Orders about evidence are handled separately: its store may be slow. */
export type PromptOrder =
  | SignedProposal
  | SignedEnd
  | SignedOrder<ReadEvidence>
  | SignedOrder<ExportOrder>
  | SignedOrder<HoldRecords>
  | SignedOrder<UnholdRecords>
  | SignedOrder<StartDeadlines>
  | SignedOrder<NotificationSent>
  | SignedOrder<MeasureAvailable>
  | SignedOrder<StopDeadlines>
  | SignedOrder<RemoveContent>
  | SignedOrder<StartIncident>
  | SignedOrder<RerunIncident>;

/** A decision with everything that proves it: anyone who relies on it checks all of it. */
export interface ProvenDecision<Proposal = SignedProposal> {
  readonly proposal: Proposal;
  readonly proof: ApprovalProof;
}

export type DecisionStatus =
  | { readonly state: 'proposed' }
  | { readonly state: 'active'; readonly since: string }
  /** Before or after it was active. */
  | { readonly state: 'rejected' | 'lapsed' | 'expired'; readonly at: string }
  | { readonly state: 'ended'; readonly at: string; readonly by: SignedEnd };

export interface DecisionState<Proposal = SignedProposal> {
  readonly proposal: Proposal;
  /** The question of the state by which it is decided. */
  readonly question: string;
  readonly status: DecisionStatus;
}

export type SuppressionState = DecisionState<SignedOrder<ProposeSuppression>>;
type RestraintState = DecisionState<SignedOrder<ProposeRestraint>>;
type PromotionState = DecisionState<SignedOrder<ProposePromotion>>;

/** Returns the sort of decision that an order is about. An end of one sort ends none of the other. */
export function nounOf({ kind }: Pick<Propose | EndDecision, 'kind'>): DecisionNoun {
  return nouns[kind];
}

const nouns: Readonly<Record<(Propose | EndDecision)['kind'], DecisionNoun>> = {
  'suppression.propose': 'suppression',
  'suppression.end': 'suppression',
  'restraint.propose': 'restraint',
  'restraint.end': 'restraint',
  'promotion.propose': 'promotion',
  'promotion.end': 'promotion',
};

export function kindOf(order: Propose): DecisionKind {
  switch (order.kind) {
    case 'suppression.propose':
      return suppressionKind(order);
    case 'restraint.propose':
      return restraintKind(order);
    case 'promotion.propose':
      return promotionKind(order);
  }
}

export function isProposal(signed: PromptOrder): signed is SignedProposal {
  return signed.order.kind.endsWith('.propose');
}

export function isEnd(signed: PromptOrder): signed is SignedEnd {
  return signed.order.kind.endsWith('.end');
}

export function isSuppression(state: DecisionState): state is SuppressionState {
  return state.proposal.order.kind === 'suppression.propose';
}

export function isPromotion(state: DecisionState): state is PromotionState {
  return state.proposal.order.kind === 'promotion.propose';
}

export function isRestraint(state: DecisionState): state is RestraintState {
  return state.proposal.order.kind === 'restraint.propose';
}

/** Returns the question by which it is decided. The same for everybody who builds it: the cell builds it again and compares. */
export function questionOf(asked: {
  readonly proposal: Pick<SignedProposal, 'order'>;
  readonly control: IncidentRef;
  readonly levels: readonly Level[];
  /** Tells people that a yes needs a sign-in: see `Choice`. */
  readonly stepUp?: true | undefined;
}): Question {
  const { proposal, control, levels, stepUp } = asked;
  const { order } = proposal;
  const { noun, severity, question, plan, onSilence } = kindOf(order);
  return {
    id: `${noun}:${order.terms.id}`,
    incident: control,
    severity,
    text: question,
    choices: [
      {
        id: approveChoice,
        label: labelOfPlans([plan], 'Yes'),
        plans: [plan],
        quorum: severity === 'critical' ? 2 : 1,
        ...(stepUp && { stepUp }),
      },
      { id: rejectChoice, label: 'No', plans: [], quorum: 1 },
    ],
    levels,
    requester: `person/${order.person}`,
    onSilence,
    until: proposedUntil(order.terms),
    ...('actors' in order && { actors: order.actors }),
  };
}

/** Returns whether people were told that a yes needs a sign-in. Whether it does is decided by the cell's own policy when it checks the votes. */
export function markedIn({ choices }: Question): true | undefined {
  return choices.find(({ id }) => id === approveChoice)?.stepUp;
}

/** Returns whether the question is about this proposal, asked in the only allowed way. */
export function isQuestionOf(proposal: SignedProposal, question: Question): boolean {
  const { incident: control, levels } = question;
  const asked = questionOf({ proposal, control, levels, stepUp: markedIn(question) });
  return control.id === controlIdOf(proposal.order.terms.cluster) && questionDigest(asked) === questionDigest(question);
}
