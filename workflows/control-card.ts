import type { QuestionCard } from '../core/card.ts';
import { type DecisionProposal, wordsOf } from '../core/decision.ts';
import type { QuestionState } from '../core/incident-state.ts';
import { quorumNow } from '../core/question.ts';
import type { ControlModel } from './control-model.ts';

/** What people see of a proposal: the same card as for an incident. */
export function controlCard({ ref, cluster }: ControlModel, state: QuestionState, proposal: DecisionProposal): QuestionCard {
  const { question, votes, status, digest } = state;
  const words = wordsOf(proposal);
  return {
    incident: { ...ref, title: `decisions of ${cluster}`, severity: question.severity, cluster },
    questionId: question.id,
    questionDigest: digest,
    text: question.text,
    happened: words.happened,
    contained: [],
    evidence: [],
    choices: question.choices.map((choice) => ({
      id: choice.id,
      label: choice.label,
      quorum: quorumNow(state, choice, question.severity),
      destructive: false,
      weakens: choice.plans.some((plan) => plan.weakens === true),
      ...(choice.stepUp ? { stepUp: choice.stepUp } : {}),
      changes: choice.plans.flatMap((plan) => plan.changes.map((change) => `${change.target}: ${change.what}`)),
      blastRadius: choice.plans.flatMap((plan) => plan.blastRadius),
      notes: choice.plans.flatMap((plan) => plan.notes),
    })),
    votes: votes.map(({ vote }) => ({
      person: vote.person,
      choice: vote.choice,
      at: vote.at,
      ...(vote.reason === undefined ? {} : { reason: vote.reason }),
    })),
    onSilence: words.onSilence,
    level: {
      group: [...new Set(question.levels.map(({ group }) => group))].join(' or '),
      until: state.levelUntil,
      number: 1,
    },
    status,
  };
}
