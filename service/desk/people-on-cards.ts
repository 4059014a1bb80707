import type { CardDesk } from '../../activities/desk/desk.ts';
import type { QuestionCard } from '../../core/cards/card.ts';
import { answerersOf, personById, type Roster } from '../../core/people/roster.ts';
import { personNames } from '../incidents/names.ts';
import { narrowedBy, type OutsideDuty } from './on-call.ts';

/** Ids of who may answer for a group at this time, by the roster and the schedules that it follows. */
function peopleOf(
  group: string,
  { roster, duty, at }: { readonly roster: Roster; readonly duty: OutsideDuty | undefined; readonly at: number },
): readonly string[] {
  const isNarrowed = narrowedBy(duty, at);
  const asked = answerersOf(roster, group, at).flatMap(({ person, standsInFor }) =>
    isNarrowed(standsInFor?.person ?? person, group) ? [person] : [],
  );
  return [...new Set(asked)];
}

function accountsOf(roster: Roster, people: readonly string[]): readonly string[] {
  return people.flatMap((id) => personById(roster, id)?.slackIds.slice(0, 1) ?? []);
}

/** The Slack accounts of who may answer for a group at this time. */
export function accountsOnCall(group: string, of: Parameters<typeof peopleOf>[1]): readonly string[] {
  return accountsOf(of.roster, peopleOf(group, of));
}

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
    const mayAnswer = (id: string) => level.people?.includes(nameOf(id)) !== false && votes.every(({ person }) => person !== id);
    return accountsOf(roster, peopleOf(level.group, { roster, duty, at: now() }).filter(mayAnswer));
  };
  const named = <Post extends { readonly card: QuestionCard }>(post: Post): Post => {
    const { votes, status, level, actors } = post.card;
    return {
      ...post,
      card: {
        ...post.card,
        level: { ...level, accounts: askedNow(post.card) },
        ...(actors && { actors: accountsOf(roster, actors) }),
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
