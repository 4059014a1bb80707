import type { Choice, Question, SignedVote } from './approval.ts';
import type { QuestionState } from './incident-state.ts';

/** What a verified vote did to its question. `reply` is what the clicker is told. */
export interface VoteResult {
  readonly state: QuestionState;
  readonly accepted: boolean;
  readonly reply: string;
}

function isTheSameVote(a: SignedVote, b: SignedVote): boolean {
  return a.vote.id === b.vote.id;
}

/** Distinct people who chose this: quorum counts people, not clicks. */
export function peopleFor(state: QuestionState, choice: string): readonly string[] {
  return [...new Set(state.votes.filter((vote) => vote.vote.choice === choice).map((vote) => vote.vote.person))];
}

function choiceOf(question: Question, id: string): Choice | undefined {
  return question.choices.find((choice) => choice.id === id);
}

/**
 * The one reducer of votes: pure and idempotent. The vote was verified before (signature, roster, group): here it is only counted.
 * The first choice that reaches its quorum decides; a choice that changes nothing needs one (a veto); later ones are told so.
 */
export function countVote(state: QuestionState, signed: SignedVote, now: string): VoteResult {
  const { vote } = signed;
  if (state.votes.some((known) => isTheSameVote(known, signed)))
    return { state, accepted: true, reply: 'Your answer is already counted.' };
  if (state.status.state === 'decided') {
    const label = choiceOf(state.question, state.status.choice)?.label ?? state.status.choice;
    return { state, accepted: false, reply: `Already decided: “${label}”, by ${state.status.by.join(' and ')}.` };
  }
  if (state.status.state !== 'open') return { state, accepted: false, reply: 'This question is no longer open.' };
  if (vote.questionDigest !== state.digest)
    return { state, accepted: false, reply: 'This card is out of date: look at the newest one.' };
  const choice = choiceOf(state.question, vote.choice);
  if (!choice) return { state, accepted: false, reply: 'This choice does not exist.' };
  // A person may change their mind while the question is open; their last word counts.
  const votes = [...state.votes.filter((known) => known.vote.person !== vote.person), signed];
  const counted: QuestionState = { ...state, votes };
  const by = peopleFor(counted, choice.id);
  if (by.length < choice.quorum) {
    return {
      state: counted,
      accepted: true,
      reply: `Counted: ${by.length} of ${choice.quorum} people for “${choice.label}”. One more person must agree.`,
    };
  }
  return {
    state: { ...counted, status: { state: 'decided', choice: choice.id, by, at: now } },
    accepted: true,
    reply: `Decided: “${choice.label}”.`,
  };
}
