import type { QuestionCard } from '../../core/cards/card.ts';
import { oneOfEach } from '../../core/cards/card-group.ts';
import type { CardStore } from '../../core/cards/card-store.ts';
import { answerersOf, type Roster } from '../../core/people/roster.ts';

/** Open questions that one person has before their eyes in the channel: who gets more says yes without reading. */
export const mostOpen = 5;

/** A card whose time has passed so long ago is of an incident that nobody will end. */
const forgottenAfterMs = 3_600_000;

/** Whether one of those who are asked has enough open questions in the channel. */
export function createCrowd(options: {
  readonly roster: Roster;
  readonly cards: Pick<CardStore, 'openCards'>;
  readonly now?: () => number;
}): (card: QuestionCard) => Promise<boolean> {
  const { roster, cards, now = Date.now } = options;
  return async ({ questionId, level }) => {
    const at = now();
    const askedIn = (group: string): readonly string[] => answerersOf(roster, group, at).map(({ person }) => person);
    const open = oneOfEach(await cards.openCards()).filter(
      ({ aside, card }) =>
        aside === undefined && card.questionId !== questionId && Date.parse(card.level.until) > at - forgottenAfterMs,
    );
    const counts = new Map<string, number>();
    for (const { card } of open)
      for (const person of askedIn(card.level.group)) counts.set(person, (counts.get(person) ?? 0) + 1);
    return askedIn(level.group).some((person) => (counts.get(person) ?? 0) >= mostOpen);
  };
}
