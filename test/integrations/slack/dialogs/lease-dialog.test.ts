import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { FakeView } from '../../../fakes/slack/world.ts';
import { channel, type Rig, startRig, until } from '../fixture.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

async function opened(): Promise<FakeView> {
  await rig.slack.command({ user: 'U0ADA', channel, command: '/firebreak', text: 'release cart' });
  const view = await until(() => rig.slack.world.openView('U0ADA'));
  await until(() => [...rig.cards.modals.values()].find(({ viewId }) => viewId === view.id));
  return view;
}

test('a release that was typed opens the dialog of the button: the plan, what it touches, how many people it needs, and the reason as typed', async () => {
  const shown = JSON.stringify((await opened()).view.blocks);
  for (const part of [
    'Yes: release pod',
    'After this, it has its network back',
    'It needs 2 people',
    'Give the pod its labels back',
    'Pod/shop/cart-7d9c5b6f4-x2x8k',
    '"initial_value":"our own release"',
  ])
    expect(shown).toContain(part);
  expect(rig.leaseAnswers).toEqual([]);
});

test('it is answered when the dialog is submitted, once, and with a reason', async () => {
  const { id: viewId } = await opened();
  const send = (reason: string) => rig.slack.submitView({ viewId, user: 'U0ADA', typed: { fb_reason: reason } });
  expect((await send('    ')).result).toMatchObject({ outcome: 'errors', errors: { fb_reason: expect.any(String) } });
  expect(rig.leaseAnswers).toEqual([]);
  expect((await send('our own release of today')).result).toEqual({ outcome: 'closed' });
  await until(() => rig.slack.ephemerals('U0ADA').find(({ text }) => text === 'Taken.'));
  expect(rig.leaseAnswers).toMatchObject([
    { slackUser: 'U0ADA', reason: 'our own release of today', draft: { button: { choice: 'release' } } },
  ]);
});
