import { expect, test } from '@jest/globals';
import type { QuestionCard } from '../../../core/cards/card.ts';
import { withPeople } from '../../../service/desk/people-on-cards.ts';
import { questionCard } from '../../integrations/slack/fixture.ts';
import { roster } from '../../workflows/people.ts';

test('a card names voters and deciders just as it names those who may answer; anyone no longer in the roster appears by id', async () => {
  const shown: QuestionCard[] = [];
  const desk = withPeople(
    {
      postQuestion: async ({ card }: { readonly card: QuestionCard }) => {
        shown.push(card);
        return { channel: 'C1', ts: '1' };
      },
      updateQuestion: async ({ card }: { readonly card: QuestionCard }) => void shown.push(card),
    },
    { roster: { ...roster, people: roster.people.map((one) => (one.id === 'ana' ? { ...one, name: 'Ana Lopez' } : one)) } },
  );
  const at = '2026-03-01T14:05:00Z';
  const votes = ['ana', 'gone'].map((person) => ({ person, choice: 'release', at }));
  await desk.postQuestion({ card: questionCard({ votes }) });
  await desk.updateQuestion({
    card: questionCard({ status: { state: 'decided', choice: 'release', by: ['ana', 'gone'], at } }),
  });
  expect(shown.map(({ votes: said }) => said.map(({ person }) => person))).toEqual([['Ana Lopez', 'gone'], []]);
  expect(shown.at(-1)?.status).toMatchObject({ by: ['Ana Lopez', 'gone'] });
});
