import { describe, expect, test } from '@jest/globals';
import type { EndedEffect, QuestionCard } from '../../../../core/cards/card.ts';
import { decisionView } from '../../../../integrations/slack/views/decision-view.ts';
import { detailsView } from '../../../../integrations/slack/views/details-view.ts';
import { groupBlocks } from '../../../../integrations/slack/views/group-card.ts';
import { questionBlocks } from '../../../../integrations/slack/views/render.ts';
import { questionCard, target } from '../fixture.ts';
import { cardOf, nameOf } from '../target-cards.ts';

const at = '2026-03-01T14:05:00.000Z';
const [own] = questionCard().contained;
const pod = `pod/${target}`;
const ended = (how: EndedEffect['how'], of = pod): readonly EndedEffect[] => [
  { action: 'quarantinePod', target: of, how, at: '2026-03-01T14:06:00.000Z' },
];
const votes: QuestionCard['votes'] = [
  { person: 'Ada Lovelace', choice: 'release', at, reason: 'Our own migration job' },
  { person: 'Grace Hopper', choice: 'release', at, reason: 'I have seen its build' },
];
const released: QuestionCard['status'] = { state: 'decided', choice: 'release', by: ['Ada Lovelace', 'Grace Hopper'], at };
const shown = (changes: Partial<QuestionCard>): string =>
  questionBlocks(questionCard(changes), { buttons: [] })
    .blocks.map((block) => JSON.stringify(block))
    .join('\n');

describe('a card whose containment has ended', () => {
  test('says that the pod was released and when, and no longer until when it is quarantined', () => {
    const text = shown({ status: released, votes, contained: [], ended: ended('released') });
    expect(text).toContain('✅ Released: cart-…x2x8k has its network back, <!date^1772373960^');
    expect(text).not.toMatch(/Quarantined|runs as before/);
  });

  test('says that a deleted pod no longer exists, and does not call it released', () => {
    const text = shown({ status: { ...released, choice: 'remove' }, contained: [], ended: ended('gone') });
    expect(text).toContain('✅ Ended: cart-…x2x8k no longer exists');
    expect(text).not.toMatch(/[Rr]eleased|Quarantined/);
  });

  test('says that nothing was released if somebody else had changed it', () => {
    expect(shown({ status: released, contained: [], ended: ended('drifted') })).toContain(
      '⚠️ Not released: somebody else has changed cart-…x2x8k',
    );
  });

  test('does not say that it stays as it was without an answer, once it was released', () => {
    const status: QuestionCard['status'] = { state: 'expired', at };
    expect(shown({ status })).toContain('The pod stays quarantined');
    expect(shown({ status, contained: [], ended: ended('released') })).not.toContain('The pod stays quarantined');
  });

  test('still says what is in force besides', () => {
    const text = shown({ status: released, ended: ended('released', 'pod/shop/other-1') });
    expect(text).toContain('⛔ Quarantined until');
    expect(text).toContain('✅ Released: other-1 has its network back');
  });

  test('says so behind Details', () => {
    const view = JSON.stringify(detailsView(questionCard({ contained: [], ended: ended('gone') }), 'story'));
    expect(view).toContain('Ended: cart-…x2x8k no longer exists');
    expect(view).not.toContain('runs as before');
  });
});

describe('the reasons on a card', () => {
  test('are those of all who voted, by name, when it is decided', () => {
    const text = shown({ status: released, votes });
    expect(text).toContain('Ada Lovelace: “Our own migration job”\\nGrace Hopper: “I have seen its build”');
  });

  test('name the answer of a person who was outvoted', () => {
    const against = { person: 'Mary Shelley', choice: 'remove', at, reason: 'Looks like a miner' };
    expect(shown({ status: released, votes: [...votes, against] })).toContain(
      'Mary Shelley (for No: rotate secrets and delete pod): “Looks like a miner”',
    );
  });

  test('are shown while the second person is still asked', () => {
    expect(shown({ votes: votes.slice(0, 1) })).toContain('Ada Lovelace: “Our own migration job”');
  });
});

describe('the end of a question on its card', () => {
  const onlyEnd = (changes: Partial<QuestionCard>): readonly string[] => {
    const [asked = ''] = shown(changes)
      .split('\n')
      .filter((block) => block.includes('No answer'));
    return asked.match(/<!date\^\d+/g) ?? [];
  };

  test('is one time at the last level, which ends with the question', () => {
    const level = { group: 'leads', until: '2026-03-01T14:50:00Z', number: 2 };
    expect(onlyEnd({ level, deadline: '2026-03-01T14:50:00.000Z' })).toHaveLength(1);
    // The question was asked a moment later than planned.
    expect(onlyEnd({ level, deadline: '2026-03-01T15:02:00.000Z' })).toEqual(['<!date^1772377320']);
  });

  test('and the turn of those asked now are two, if others are asked next', () => {
    expect(onlyEnd({ deadline: '2026-03-01T15:02:00.000Z' })).toHaveLength(2);
  });
});

describe('a card with several targets', () => {
  const together = (cards: readonly QuestionCard[]): string =>
    JSON.stringify(
      groupBlocks(
        cards.map((card) => ({ card, buttons: [] })),
        [],
      ).blocks,
    );
  /** Two pods of one incident: each card counts its alerts, and lists all that is in force in it. */
  const two = [1, 2].map((number) => {
    const { incident, happened } = cardOf(1);
    const card = cardOf(number, { incident, happened: { ...happened, pod: cardOf(number).happened.pod ?? '', count: 6 } });
    return { ...card, contained: [1, 2].flatMap((each) => (own ? [{ ...own, target: podOf(each) }] : [])) };
  });
  function podOf(number: number): string {
    return `pod/shop/${nameOf(number)}-x2x8k`;
  }

  test('counts the alerts of an incident once, and those of others besides', () => {
    expect(together(two)).toContain('6 alerts since');
    expect(together([...two, cardOf(3)])).toContain('9 alerts since');
  });

  test('counts a target as contained only by what holds it, and says what became of the others', () => {
    expect(together(two)).toContain('2 of 2 contained');
    const status: QuestionCard['status'] = { state: 'decided', choice: 'remove', by: ['Ada Lovelace'], at };
    const after = two.map((card, index) => ({
      ...card,
      contained: card.contained.filter(({ target: of }) => of === podOf(2)),
      ended: ended('gone', podOf(1)),
      ...(index === 0 && { status }),
    }));
    const text = together(after);
    expect(text).toContain('1 of 2 contained, 1 no longer exists');
    expect(text).toMatch(/cart-001-x2x8k\*: [^"]*; ended: it no longer exists/);
  });
});

describe('the button of a decision’s dialog', () => {
  const submitOf = (id: string, over: Partial<QuestionCard> = {}): string | undefined => {
    const card = questionCard(over);
    const choice = card.choices.find((one) => one.id === id);
    return choice && decisionView({ card, choice, modalId: 'm' }).submit?.text;
  };

  test('says what it does: a first of two votes is a vote, and the last one releases', () => {
    expect(submitOf('remove')).toBe('Delete pod');
    expect(submitOf('release')).toBe('Vote to release pod');
    expect(submitOf('release', { votes: votes.slice(0, 1) })).toBe('Release pod');
  });

  test('stands below what is given up, and whose vote it is', () => {
    const card = questionCard();
    const [choice] = card.choices;
    const textOf = (over: Partial<QuestionCard>): string =>
      choice ? JSON.stringify(decisionView({ card: { ...card, ...over }, choice, modalId: 'm' }).blocks) : '';
    expect(textOf({})).toContain('*After this, it has its network back.* It needs 2 people; you are the first.');
    expect(textOf({ votes: votes.slice(0, 1) })).toContain('It needs 2 people; yours decides.');
  });
});
