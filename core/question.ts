import { type ApprovalProof, type Choice, type Question, quorumOf, type SignedVote } from './approval.ts';
import type { QuestionState } from './incident-state.ts';
import type { Severity } from './severity.ts';

/** What a verified vote did to its question. `reply` is what the clicker is told. */
export interface VoteResult {
  readonly state: QuestionState;
  /** `repeated`: this very vote was counted before, and nothing has changed now. */
  readonly outcome: 'counted' | 'repeated' | 'refused';
  readonly reply: string;
}

/** Also a vote that its person took back since: delivered again, it must not bring their mind back. */
function wasCounted(state: QuestionState, { vote }: SignedVote): boolean {
  const known = [...state.votes, ...(state.withdrawn ?? [])];
  return known.some((other) => other.vote.id === vote.id && other.vote.person === vote.person);
}

/** Distinct people that a choice needs now: more than when it was asked, if the incident has become worse since. */
export function quorumNow(choice: Choice, severity: Severity): number {
  return Math.max(choice.quorum, quorumOf({ plans: choice.plans, severity }));
}

/** Distinct people who chose this: quorum counts people, not clicks. */
export function peopleFor(state: QuestionState, choice: string): readonly string[] {
  return [...new Set(state.votes.filter((vote) => vote.vote.choice === choice).map((vote) => vote.vote.person))];
}

/** What a decided question shows for its choice. Undefined while it is not decided. */
export function proofOf(state: QuestionState): ApprovalProof | undefined {
  if (state.status.state !== 'decided') return undefined;
  const { choice } = state.status;
  return {
    question: state.question,
    choice,
    votes: state.votes
      .filter((signed) => signed.vote.choice === choice)
      .map(({ vote, keyId, signature }) => ({ vote, keyId, signature })),
  };
}

function choiceOf(question: Question, id: string): Choice | undefined {
  return question.choices.find((choice) => choice.id === id);
}

/**
 * The one reducer of votes: pure and idempotent. The vote was verified before (signature, roster, group): here it is only counted.
 * The first choice that reaches its quorum decides; a choice that changes nothing needs one (a veto); later ones are told so.
 */
export function countVote(
  state: QuestionState,
  signed: SignedVote,
  { now, severity }: { readonly now: string; readonly severity: Severity },
): VoteResult {
  const { vote } = signed;
  if (wasCounted(state, signed)) return { state, outcome: 'repeated', reply: 'Your answer is already counted.' };
  if (state.status.state === 'decided') {
    const label = choiceOf(state.question, state.status.choice)?.label ?? state.status.choice;
    return { state, outcome: 'refused', reply: `Already decided: “${label}”, by ${state.status.by.join(' and ')}.` };
  }
  if (state.status.state !== 'open') return { state, outcome: 'refused', reply: 'This question is no longer open.' };
  if (vote.questionDigest !== state.digest)
    return { state, outcome: 'refused', reply: 'This card is out of date: look at the newest one.' };
  const choice = choiceOf(state.question, vote.choice);
  if (!choice) return { state, outcome: 'refused', reply: 'This choice does not exist.' };
  // A person may change their mind while the question is open; their last word counts.
  const earlier = state.votes.filter((known) => known.vote.person === vote.person);
  // One that was held up on its way must not undo what its person has said since.
  if (earlier.some((known) => known.vote.at > vote.at))
    return { state, outcome: 'refused', reply: 'You have answered again since: your later answer counts.' };
  const votes = [...state.votes.filter((known) => known.vote.person !== vote.person), signed];
  const counted: QuestionState = { ...state, votes, withdrawn: [...(state.withdrawn ?? []), ...earlier] };
  const by = peopleFor(counted, choice.id);
  const quorum = quorumNow(choice, severity);
  if (by.length < quorum) {
    return {
      state: counted,
      outcome: 'counted',
      reply: `Counted: ${by.length} of ${quorum} people for “${choice.label}”. One more person must agree.`,
    };
  }
  return {
    state: { ...counted, status: { state: 'decided', choice: choice.id, by, at: now } },
    outcome: 'counted',
    reply: `Decided: “${choice.label}”.`,
  };
}
