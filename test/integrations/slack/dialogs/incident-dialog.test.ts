import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { incidentView } from '../../../../integrations/slack/views/incident-view.ts';
import { viewOf } from '../../../fakes/slack/methods/view-methods.ts';
import type { FakeView } from '../../../fakes/slack/world.ts';
import { channel, type Rig, startRig, until } from '../fixture.ts';

const right = { fb_pod: 'shop/cart-1', fb_wish: 'look', fb_severity: 'high', fb_reason: 'it talks to a miner' };
const callbackId = 'fb_start_incident';

let rig: Rig;
let ts: string;
beforeEach(async () => {
  rig = await startRig();
  ts = rig.slack.world.nextTs();
  rig.slack.world.add({ channel, ts, user: 'U0GRACE', text: 'cart-1 is <!here> `odd`' });
});
afterEach(() => rig.stop());

async function opened(user = 'U0ADA'): Promise<FakeView> {
  await rig.slack.shortcut({ user, channel, ts, callbackId });
  const view = await until(() => rig.slack.world.openView(user));
  await until(() => [...rig.cards.modals.values()].find(({ viewId }) => viewId === view.id));
  return view;
}

const submit = ({ id: viewId }: FakeView, typed: Readonly<Record<string, string>> = right, user = 'U0ADA') =>
  rig.slack.submitView({ viewId, user, typed });

describe('an incident is started from a message', () => {
  test('in a dialog that shows the message without its markup', async () => {
    const shown = JSON.stringify((await opened()).view.blocks);
    expect(shown).toContain('cart-1 is &lt;!here&gt; ˋoddˋ');
    expect(shown).not.toContain('<!here>');
  });

  test('reaches the service with a link to the message, and is announced under it and to the person who started it', async () => {
    expect((await submit(await opened())).result).toEqual({ outcome: 'closed' });
    await until(() => rig.slack.ephemerals('U0ADA').find(({ text }) => text === 'Started.'));
    expect(rig.incidents).toMatchObject([
      {
        slackUser: 'U0ADA',
        wish: 'look',
        pod: { namespace: 'shop', name: 'cart-1' },
        severity: 'high',
        reason: right.fb_reason,
        link: expect.stringContaining(ts.replace('.', '')),
        draft: { message: { ts, channel } },
      },
    ]);
    await until(() => rig.slack.replies(channel, ts).find(({ text }) => text.includes('started the incident')));
  });

  test('is announced under the message even after Slack was rate-limited', async () => {
    const view = await opened();
    rig.slack.fail('chat.postMessage', { status: 429, retryAfter: 2 });
    await submit(view);
    await until(() => rig.slack.ephemerals('U0ADA').find(({ text }) => text === 'Started.'));
    expect(rig.slack.replies(channel, ts)).toEqual([]);
    await until(() => rig.slack.replies(channel, ts).find(({ text }) => text.includes('started the incident')));
  });

  test('is critical when the pod is to be cut off', async () => {
    await submit(await opened(), { ...right, fb_wish: 'quarantine', fb_severity: 'low' });
    await until(() => rig.incidents[0]);
    expect(rig.incidents).toMatchObject([{ wish: 'quarantine', severity: 'critical' }]);
  });

  const wrong: readonly (readonly [string, Readonly<Record<string, string>>, string])[] = [
    ['a pod without namespace', { fb_pod: 'cart-1' }, 'fb_pod'],
    ['an invalid pod', { fb_pod: 'shop/<!channel>' }, 'fb_pod'],
    ['a severity that was not offered', { fb_severity: 'unknown' }, 'fb_severity'],
    ['a wish that was not offered', { fb_wish: 'delete' }, 'fb_wish'],
    ['a blank reason', { fb_reason: '    ' }, 'fb_reason'],
  ];
  test.each(wrong)('not with %s: the dialog stays, and says so', async (_what, typed, block) => {
    const { result } = await submit(await opened(), { ...right, ...typed });
    expect(result).toMatchObject({ outcome: 'errors', errors: { [block]: expect.any(String) } });
    expect(rig.incidents).toEqual([]);
  });

  test('by its opener only', async () => {
    await submit(await opened(), right, 'U0GRACE');
    expect(rig.refusals).toMatchObject([{ reason: 'not_opener' }]);
    expect(rig.incidents).toEqual([]);
  });

  const strangers: readonly (readonly [string, string])[] = [
    ['U0BOT', 'bot'],
    ['U0GUEST', 'guest'],
    ['U0GONE', 'deleted'],
    ['U0STRANGER', 'stranger'],
  ];
  test.each(strangers)('not by %s', async (user, reason) => {
    await rig.slack.shortcut({ user, channel, ts, callbackId });
    expect(await until(() => rig.refusals[0])).toMatchObject({ reason, slackUser: user });
    expect(rig.slack.world.openView(user)).toBeUndefined();
  });

  test('not by a shortcut that is not ours or from another workspace', async () => {
    await rig.slack.deliver({ type: 'message_action', callback_id: 'other', team: { id: 'T0ACME' } });
    expect(await until(() => rig.refusals[0])).toMatchObject({ reason: 'malformed' });
    await rig.slack.shortcut({ user: 'U0ADA', channel, ts, callbackId, forge: { teamId: 'T0OTHER' } });
    expect(await until(() => rig.refusals[1])).toMatchObject({ reason: 'wrong_team' });
  });
});

test('a quarantine ordered by a command without a reason asks for what is missing', async () => {
  await rig.slack.command({ user: 'U0ADA', channel, command: '/firebreak', text: 'quarantine' });
  const view = await until(() => rig.slack.world.openView('U0ADA'));
  const shown = JSON.stringify(view.view.blocks);
  expect(shown).toContain('"initial_value":"shop/cart-1"');
  expect(shown).toContain('lets the others decide');
});

test('the dialog is accepted by Slack, even with a long message', () => {
  const message = { channel, ts: '1.1', text: '<&>'.repeat(2_000) };
  const draft = { wish: 'look', cluster: 'c', owner: 'Ada', message } as const;
  expect(() => viewOf(incidentView({ draft, modalId: 'm_x' }))).not.toThrow();
});

test('the emulator offers only the app’s shortcuts, and only on messages that exist', async () => {
  await expect(rig.slack.shortcut({ user: 'U0ADA', channel, ts: '1.1', callbackId })).rejects.toThrow('no message');
  await expect(rig.slack.shortcut({ user: 'U0ADA', channel, ts, callbackId: 'other' })).rejects.toThrow('no shortcut');
});
