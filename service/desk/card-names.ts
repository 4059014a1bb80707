import type { CardDesk } from '../../activities/desk/desk.ts';
import type { QuestionCard } from '../../core/cards/card.ts';
import type { Roster } from '../../core/people/roster.ts';
import { personNames } from '../incidents/names.ts';

/** Who has voted, by name, as the card names those who may: an incident knows people by their ids only. */
export function withNames<Desk extends Pick<CardDesk, 'postQuestion' | 'updateQuestion'>>(desk: Desk, roster: Roster): Desk {
  const nameOf = personNames(roster);
  const named = <Post extends { readonly card: QuestionCard }>(post: Post): Post => {
    const { votes, status } = post.card;
    return {
      ...post,
      card: {
        ...post.card,
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
