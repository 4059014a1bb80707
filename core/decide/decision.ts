import type { Severity } from '../alert/severity.ts';
import type { QuestionCard } from '../cards/card.ts';
import type { IncidentRef } from '../incident/incident.ts';
import {
  type RestraintMode,
  restraintQuestion,
  restraintTitle,
  type SignedRestraint,
  scopeText,
  severityOf,
} from '../orders/restraint.ts';
import { type SignedProposal, suppressionQuestion, suppressionTitle, workloadText } from '../orders/suppression.ts';
import type { ApprovalProof, Level, Question } from './approval.ts';
import type { RestraintState, SuppressionState } from './control.ts';

/** What people decide on above all incidents, of whatever kind it is. */
export type DecisionState = SuppressionState | RestraintState;
export type DecisionProposal = SignedProposal | SignedRestraint;
export interface DecidedAnything {
  readonly proposal: DecisionProposal;
  readonly proof: ApprovalProof;
}

/** One kind of decision, in the words in which the control workflow tells of it. */
export interface DecisionWords {
  /** Of its records: `suppression.begun`. */
  readonly noun: 'suppression' | 'restraint';
  readonly name: string;
  readonly title: string;
  readonly severity: Severity;
  readonly begun: string;
  readonly over: string;
  readonly nothing: string;
  readonly happened: QuestionCard['happened'];
}

const names: Readonly<Record<RestraintMode, string>> = {
  freeze: 'Freeze',
  observe: 'Observe mode',
  'break-glass': 'Broken glass',
};

export function wordsOf({ order }: DecisionProposal): DecisionWords {
  if (order.kind === 'suppression.propose') {
    const { terms } = order;
    const { match } = terms;
    const title = suppressionTitle(terms);
    return {
      noun: 'suppression',
      name: 'Suppression',
      title: `hide ${title}`,
      severity: terms.upTo,
      begun: `${title}: hidden until ${terms.until}`,
      over: `${title}: no longer hidden`,
      nothing: 'nothing is hidden',
      happened: {
        rule: match.rule,
        sensor: match.sensor ?? 'any sensor',
        at: terms.from,
        count: 0,
        pod: workloadText(match.workload),
        image: match.digest,
      },
    };
  }
  const { terms } = order;
  const title = restraintTitle(terms);
  return {
    noun: 'restraint',
    name: names[terms.mode],
    title,
    severity: severityOf(terms),
    begun: `${title}, until ${terms.until}`,
    over:
      terms.mode === 'break-glass'
        ? `${title} is over: the guardrails hold again`
        : `${title} is over: the response is as it was`,
    nothing: 'the response stays as it is',
    happened: {
      rule: title,
      sensor: order.via === 'slack' ? 'Slack' : 'the command line',
      at: terms.from,
      count: 0,
      pod: scopeText(terms.scope),
    },
  };
}

/** The question by which it is decided. The same for everybody who makes it: the cell makes it again and compares. */
export function questionOf(asked: {
  readonly proposal: DecisionProposal;
  readonly control: IncidentRef;
  readonly levels: readonly Level[];
  /** The mark for people that a yes needs a sign-in: see `Choice`. */
  readonly stepUp?: true | undefined;
}): Question {
  const { proposal, control, levels, stepUp } = asked;
  const { order } = proposal;
  return order.kind === 'suppression.propose'
    ? suppressionQuestion({ terms: order.terms, proposer: order.person, actors: order.actors, control, levels, stepUp })
    : restraintQuestion({ terms: order.terms, proposer: order.person, control, levels, stepUp });
}

export function isRestraintState(state: DecisionState): state is RestraintState {
  return state.proposal.order.kind === 'restraint.propose';
}
