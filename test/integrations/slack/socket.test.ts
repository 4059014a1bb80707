import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SocketReceiver } from '../../../integrations/slack/door/socket.ts';
import type { ClickOptions, SlackEmulator } from '../../fakes/slack/index.ts';
import { appToken, channel, keep, plainCard, post, type Rig, startRig, until } from './fixture.ts';

let rig: Rig;
let socket: NonNullable<SlackEmulator['socket']>;
beforeEach(async () => {
  rig = await startRig({ appToken });
  if (!rig.slack.socket) throw new Error('Socket Mode is off');
  socket = rig.slack.socket;
});
afterEach(async () => {
  expect(socket.problems).toEqual([]);
  await rig.stop();
});

const remove: ClickOptions = { user: 'U0ADA', actionId: 'fb_decide1' };
const connected = (count: number) => until(() => (socket.connections === count ? true : undefined));
const answersTo = (user: string) => rig.slack.ephemerals(user).filter(({ text }) => text.includes('is recorded'));
const logged = (text: string) => until(() => rig.logs.find((line) => line.includes(text)));

describe('over the socket', () => {
  test('a click, its dialog and a command reach the service, and are answered', async () => {
    const ref = await post(rig);
    const { status, dialog } = await rig.slack.click(remove);
    expect([status, dialog?.result]).toEqual([200, { outcome: 'closed' }]);
    await until(() => answersTo('U0ADA')[0]);
    expect(rig.clicks).toMatchObject([{ slackUser: 'U0ADA', messageTs: ref.ts, reason: 'As the card says.' }]);
    await rig.slack.command({ user: 'U0ADA', channel, command: '/firebreak', text: 'whoami' });
    await until(() => rig.slack.ephemerals('U0ADA').find(({ blocks }) => JSON.stringify(blocks ?? []).includes('*whoami*')));
  });

  test('errors in a dialog are shown in it', async () => {
    await post(rig);
    const { dialog } = await rig.slack.click({ ...remove, dialog: { fb_target: 'zzzz' } });
    expect(dialog?.result).toMatchObject({ outcome: 'errors', errors: { fb_target: expect.any(String) } });
    expect(rig.clicks).toEqual([]);
  });

  test('nothing is accepted over HTTP', () => {
    expect(rig.desk.listener).toBeUndefined();
  });

  const forgeries: readonly (readonly [string, NonNullable<ClickOptions['forge']>, string])[] = [
    ['of another app', { appId: 'A0OTHER' }, 'wrong_app'],
    ['of another workspace', { teamId: 'T0OTHER' }, 'wrong_team'],
    ['of someone from elsewhere', { userTeamId: 'T0ELSEWHERE' }, 'stranger'],
    ['on another message', { messageTs: '1700000000.000001' }, 'stale_card'],
    ['with an invented id', { inventedValue: 'b_invented' }, 'unknown_button'],
  ];
  test.each(forgeries)('a click %s is refused and recorded as over HTTP', async (_what, forge, reason) => {
    await post(rig);
    await rig.slack.click({ ...remove, dialog: 'leave', forge });
    expect(await until(() => rig.refusals[0])).toMatchObject({ reason });
    expect(rig.clicks).toEqual([]);
  });

  test('a dialog is accepted only from its opener', async () => {
    await post(rig);
    await rig.slack.click({ ...remove, dialog: 'leave' });
    const view = await until(() => rig.slack.world.openView('U0ADA'));
    const typed = { fb_target: 'x2x8k'.slice(-4), fb_reason: 'not mine' };
    const { result } = await rig.slack.submitView({ viewId: view.id, user: 'U0GRACE', typed });
    expect(result).toEqual({ outcome: 'updated' });
    expect(rig.refusals).toMatchObject([{ reason: 'not_opener' }]);
    expect(rig.clicks).toEqual([]);
  });
});

describe('an envelope that is sent again', () => {
  test('is acknowledged again and done once', async () => {
    await post(rig, plainCard);
    const { request } = await rig.slack.click(keep);
    await until(() => answersTo('U0ADA')[0]);
    expect((await rig.slack.resend(request)).status).toBe(200);
    expect(rig.clicks).toHaveLength(1);
    expect(rig.refusals).toEqual([]);
  });

  test('because its acknowledgement was lost is done once, and a dialog gets the same answer', async () => {
    await post(rig);
    await rig.slack.click({ ...remove, dialog: 'leave' });
    const view = await until(() => rig.slack.world.openView('U0ADA'));
    socket.loseAcks(1);
    const sent = await rig.slack.submitView({
      viewId: view.id,
      user: 'U0ADA',
      typed: { fb_target: 'zzzz', fb_reason: 'yes, go' },
    });
    expect(sent.result).toMatchObject({ outcome: 'errors' });
    socket.loseAcks(1);
    await rig.slack.submitView({ viewId: view.id, user: 'U0ADA', typed: { fb_target: '2x8k', fb_reason: 'yes, go' } });
    await until(() => answersTo('U0ADA')[0]);
    expect(rig.clicks).toHaveLength(1);
  });
});

describe('a connection', () => {
  test('that Slack refreshes is replaced while the other one listens', async () => {
    await post(rig, plainCard);
    socket.disconnect('refresh_requested', 1);
    expect((await rig.slack.click(keep)).status).toBe(200);
    await connected(2);
    await logged('refresh_requested');
    expect((await rig.slack.click({ ...keep, user: 'U0GRACE' })).status).toBe(200);
    await until(() => (rig.clicks.length === 2 ? true : undefined));
  });

  test('that breaks silently is replaced, and what it carried is redelivered', async () => {
    await post(rig, plainCard);
    const clicking = rig.slack.click(keep);
    socket.cut();
    await clicking;
    await connected(2);
    await until(() => answersTo('U0ADA')[0]);
    expect(new Set(rig.clicks.map(({ clickId }) => clickId)).size).toBe(1);
  });

  test('is retried for as long as Slack refuses it', async () => {
    rig.slack.fail('apps.connections.open', { status: 500, times: 2 });
    rig.slack.fail('apps.connections.open', { status: 429, retryAfter: 1 });
    socket.cut();
    await logged('HTTP 500');
    await connected(2);
  });

  test('fails while Socket Mode is switched off, and works once it is on again', async () => {
    socket.disconnect('link_disabled');
    await logged('link_disabled');
    await logged('FB_ERR_REFUSED');
    socket.enable();
    await connected(2);
  });
});

test('a token of another app is refused at the hello', async () => {
  const lines: string[] = [];
  const never = (): void => expect('nothing').toBe('heard');
  const receiver = new SocketReceiver({
    appToken,
    appId: 'A0OTHER',
    apiUrl: rig.slack.apiUrl,
    onRefused: never,
    onFault: never,
    log: (message, facts) => lines.push(JSON.stringify({ message, ...facts })),
  });
  await receiver.start();
  await until(() => lines.find((line) => line.includes('belongs to another app than slack.appId')));
  await receiver.stop();
  await connected(2);
});
