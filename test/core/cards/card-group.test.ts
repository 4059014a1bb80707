import { describe, expect, test } from '@jest/globals';
import type { QuestionCard } from '../../../core/cards/card.ts';
import { likenessOf, seenOf } from '../../../core/cards/card-group.ts';
import { questionCard } from '../../integrations/slack/fixture.ts';

const base = questionCard();

function cardAbout(workload: string, pod: string, text: string, changes: Partial<QuestionCard> = {}): QuestionCard {
  return {
    ...base,
    text,
    incident: { ...base.incident, id: `incident/prod-1/shop/Deployment/${workload}`, title: `deployment/shop/${workload}` },
    happened: { ...base.happened, pod: `shop/${pod}` },
    ...changes,
  };
}
const likeness = (card: QuestionCard, groups = ['oncall'], requester = 'playbook/contain'): string | undefined =>
  likenessOf({ card, groups, requester });

describe('two questions are alike', () => {
  test('if they differ only in the names of what they are about', () => {
    const one = likeness(cardAbout('a', 'a-1-x', 'Is the binary in a-1-x of a in shop expected?'));
    expect(one).toBeDefined();
    expect(likeness(cardAbout('b.c', 'b.c-2-y', 'Is the binary in b.c-2-y of b.c in shop expected?'))).toBe(one);
  });

  test('but not if the words differ, even if a name looks like a pattern', () => {
    const one = likeness(cardAbout('a', 'a-1-x', 'Is a binary in a-1-x expected?'));
    expect(likeness(cardAbout('b', 'b-1-x', 'Is a binary in b-1-x expected?'))).not.toBe(one);
    expect(likeness(cardAbout('c', '.*', 'Is {} binary in c-1-x expected?'))).not.toBe(one);
  });

  test('but not if other people are asked, or somebody else asks', () => {
    const card = cardAbout('a', 'a-1-x', 'Is it expected?');
    expect(likeness(card, ['leads'])).not.toBe(likeness(card));
    expect(likeness(card, ['oncall'], 'playbook/other')).not.toBe(likeness(card));
  });

  test('but not if one is of another cluster, or of no incident', () => {
    const card = cardAbout('a', 'a-1-x', 'Is it expected?');
    expect(likeness({ ...card, incident: { ...card.incident, cluster: 'prod-2' } })).not.toBe(likeness(card));
    expect(likeness({ ...card, incident: { ...card.incident, id: 'control/prod-1' } })).toBeUndefined();
  });
});

test('a target counts as changed if its plan, severity or quorum changes, but not for a vote', () => {
  const [first, ...rest] = base.choices;
  if (!first) throw new Error('a card without choices');
  const seen = seenOf(base);
  expect(seenOf({ ...base, questionDigest: 'sha256:bbbb' })).not.toBe(seen);
  expect(seenOf({ ...base, choices: [{ ...first, changes: ['something else'] }, ...rest] })).not.toBe(seen);
  expect(seenOf({ ...base, choices: [{ ...first, quorum: 3 }, ...rest] })).not.toBe(seen);
  expect(seenOf({ ...base, incident: { ...base.incident, severity: 'high' } })).not.toBe(seen);
  expect(seenOf({ ...base, votes: [{ person: 'ada', choice: 'release', at: '2026-03-01T14:05:00Z' }] })).toBe(seen);
});
