import type { QuestionPost } from '../../core/cards/question-card.ts';
import type { SignedProposal } from '../../core/decide/decision.ts';
import type { QuestionState } from '../../core/incident/incident-state.ts';
import { bareVotes } from '../incident/cards.ts';

/** What people see of a proposal: the desk makes the card of what was signed. */
export function controlPost(
  { question, votes, status, level, levelUntil }: QuestionState,
  proposal: SignedProposal,
): QuestionPost {
  // The token has done its work.
  const { idToken: _, ...signed } = proposal;
  return {
    question,
    about: { kind: 'proposal', proposal: signed },
    stand: { severity: question.severity, level, until: levelUntil, votes: bareVotes(votes), status },
  };
}
