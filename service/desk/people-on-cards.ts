import type { CardDesk } from '../../activities/desk/desk.ts';
import type { QuestionCard } from '../../core/cards/card.ts';
import { answerersOf, personById, type Roster } from '../../core/people/roster.ts';
import { personNames } from '../incidents/names.ts';
import { narrowedBy, type OutsideDuty } from './on-call.ts';

/**
 * Shows who voted by name, as the card does for those who may vote: an incident only has people's ids. Says which accounts are asked now, by our own roster:
 * what comes from Temporal can only take people away.
 */
export function withPeople<Desk extends Pick<CardDesk, 'postQuestion' | 'updateQuestion'>>(
  desk: Desk,
  {
    roster,
    duty,
    now = Date.now,
  }: { readonly roster: Roster; readonly duty?: OutsideDuty | undefined; readonly now?: () => number },
): Desk {
  const nameOf = personNames(roster);
  const askedNow = ({ level, votes }: QuestionCard): readonly string[] => {
    const at = now();
    const isNarrowed = narrowedBy(duty, at);
    const asked = answerersOf(roster, level.group, at).flatMap(({ person, standsInFor }) =>
      isNarrowed(standsInFor?.person ?? person, level.group) ? [person] : [],
    );
    return [...new Set(asked)].flatMap((id) => {
      const mayAnswer = level.people?.includes(nameOf(id)) !== false && votes.every(({ person }) => person !== id);
      return mayAnswer ? (personById(roster, id)?.slackIds.slice(0, 1) ?? []) : [];
    });
  };
  const named = <Post extends { readonly card: QuestionCard }>(post: Post): Post => {
    const { votes, status, level } = post.card;
    return {
      ...post,
      card: {
        ...post.card,
        level: { ...level, accounts: askedNow(post.card) },
        votes: votes.map((vote) => ({ ...vote, person: nameOf(vote.person) })),
        status: status.state === 'decided' ? { ...status, by: status.by.map(nameOf) } : status,
      },
    };
  };
  return {
    ...desk,
    postQuestion: (post) => desk.postQuestion(named(post)),
    updateQuestion: (post) => desk.updateQuestion(named(post)),
  };
}
