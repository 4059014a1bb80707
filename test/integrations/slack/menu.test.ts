import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ClickOptions } from '../../fakes/slack/index.ts';
import { post, questionCard, type Rig, startRig, until } from './fixture.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

const pick = (optionText: string, over: Partial<ClickOptions> = {}) => rig.slack.click({ user: 'U0ADA', optionText, ...over });

const dialog = (user = 'U0ADA') => until(() => rig.slack.world.openView(user));

function entries(): readonly string[] {
  const blocks = rig.slack.world.messages[0]?.blocks ?? [];
  return blocks.flatMap((block) =>
    block.type === 'actions'
      ? block.elements.flatMap((element) => (element.type === 'overflow' ? element.options.map(({ text }) => text.text) : []))
      : [],
  );
}

describe('the menu of a card', () => {
  test('comes after the answers, and offers what can be done', async () => {
    await post(rig);
    expect(entries()).toEqual([
      'Extend containment',
      'Remind me in 15 minutes',
      'Ask leads now',
      'Comment',
      'False alarm: suppress …',
    ]);
    const row = rig.slack.world.messages[0]?.blocks?.find(({ type }) => type === 'actions');
    expect(row?.type === 'actions' && row.elements.map(({ type }) => type)).toEqual(['button', 'button', 'button', 'overflow']);
  });

  test('offers no level or lease that does not exist, and nothing once it is decided', async () => {
    await post(rig, questionCard({ contained: [], level: { group: 'leads', until: '2026-03-01T15:17:11Z', number: 2 } }));
    expect(entries()).toEqual(['Remind me in 15 minutes', 'Comment', 'False alarm: suppress …']);
    const status = { state: 'decided', choice: 'remove', by: ['Ada'], at: '2026-03-01T14:05:00Z' } as const;
    await rig.desk.updateQuestion({ card: questionCard({ status }) });
    expect(entries()).toEqual([]);
  });

  test('has the full details one tap away, in a dialog that decides nothing, even after the decision', async () => {
    await post(rig);
    await rig.slack.click({ user: 'U0ADA', buttonText: 'Details', dialog: 'leave' });
    const { view } = await dialog();
    for (const text of [
      'incident.opened',
      'Drop and execute new binary in container',
      'registry.example.com/shop/cart:1.4.2',
      'no probe was made',
      '9f86d081884c',
      'Disruption budgets: `cart`',
      'same rule and image, 90 days',
      '`incident/prod-2/shop/Deployment/cart`',
      'Last deploy: revision `12`',
      'Secret/shop/cart-db',
      '2 of 3 replicas stay ready',
      'oncall until',
    ])
      expect(JSON.stringify(view.blocks)).toContain(text);
    expect(view.submit).toBeUndefined();
    const status = { state: 'decided', choice: 'remove', by: ['Ada'], at: '2026-03-01T14:05:00Z' } as const;
    await rig.desk.updateQuestion({ card: questionCard({ status }) });
    await rig.slack.click({ user: 'U0GRACE', buttonText: 'Details', dialog: 'leave' });
    expect(JSON.stringify((await dialog('U0GRACE')).view.blocks)).toContain('incident.opened');
    expect(rig.clicks).toEqual([]);
  });

  test('accepts a comment in a dialog, from its opener only', async () => {
    await post(rig);
    await pick('Comment', { dialog: 'leave' });
    const { id, view } = await dialog();
    expect(JSON.stringify(view.blocks)).toContain('Is the new binary in');
    const typed = { fb_comment: 'our scanner, password=hunter2hunter2' };
    await rig.slack.submitView({ viewId: id, user: 'U0GRACE', typed });
    await until(() => rig.refusals[0]);
    expect(rig.refusals).toMatchObject([{ reason: 'not_opener' }]);
    await pick('Comment', { dialog: typed });
    const answer = await until(() => rig.slack.ephemerals('U0ADA')[0]);
    expect(answer.text).toContain(':comment: our scanner');
    expect(answer.text).not.toContain('hunter2');
    expect(rig.clicks).toEqual([]);
  });

  test('is never mistaken for an answer, whatever the action is called', async () => {
    await post(rig);
    const next = [...rig.cards.buttons.values()].find(({ choice }) => choice === ':next');
    await rig.slack.click({ user: 'U0ADA', forge: { inventedValue: next?.buttonId ?? '' } });
    expect((await until(() => rig.slack.ephemerals('U0ADA')[0])).text).toContain(':next');
    expect(rig.clicks).toEqual([]);
  });

  test('is refused to guests, who are told so', async () => {
    await post(rig);
    await pick('Ask leads now', { user: 'U0GUEST' });
    expect((await until(() => rig.slack.ephemerals('U0GUEST')[0])).text).toContain('Guests');
    expect(rig.refusals).toMatchObject([{ reason: 'guest' }]);
  });
});
