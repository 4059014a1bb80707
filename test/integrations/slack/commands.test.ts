import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Forgery } from '../../fakes/slack/index.ts';
import { channel, type Rig, startRig, until } from './fixture.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

const type = (user: string, text: string, forge: Forgery = {}) =>
  rig.slack.command({ user, channel, command: '/firebreak', text, forge });

describe('a slash command', () => {
  test('of a member is answered only to that person', async () => {
    expect(await type('U0ADA', '  whoami ')).toMatchObject({ status: 200, body: '' });
    const answer = await until(() => rig.slack.ephemerals('U0ADA')[0]);
    expect(JSON.stringify(answer.blocks)).toContain('You typed *whoami*.');
    expect(rig.slack.channelMessages(channel)).toEqual([]);
  });

  test('with a long answer is answered in pieces that Slack accepts', async () => {
    await rig.stop();
    rig = await startRig({
      onCommand: async () => ({ mrkdwn: Array.from({ length: 400 }, (_, n) => `line ${n} ${'x'.repeat(40)}`).join('\n') }),
    });
    await type('U0ADA', 'show x');
    expect((await until(() => rig.slack.ephemerals('U0ADA')[0])).blocks).toHaveLength(4);
  });

  test('is answered even when the service fails, without quoting its error', async () => {
    await rig.stop();
    rig = await startRig({ onCommand: () => Promise.reject(new Error('password=hunter2')) });
    await type('U0ADA', 'incidents');
    expect((await until(() => rig.slack.ephemerals('U0ADA')[0])).text).toContain('did not work (FB_ERR_INTERNAL)');
    expect(JSON.stringify([rig.slack.world.messages, rig.logs])).not.toContain('hunter2');
  });
});

describe('is refused and recorded:', () => {
  test.each([
    [{ unsigned: true }, 'unsigned'],
    [{ signingSecret: 'another' }, 'bad_signature'],
    [{ clockSeconds: 360 }, 'future_dated'],
  ])('at the door, a command with %j', async (forge, reason) => {
    expect((await type('U0ADA', 'incidents', forge)).status).toBe(401);
    expect(rig.refusals).toMatchObject([{ reason }]);
  });

  test('the same bytes a second time', async () => {
    const { request } = await type('U0ADA', 'incidents');
    expect((await rig.slack.resend(request)).status).toBe(401);
    expect(rig.refusals).toMatchObject([{ reason: 'replayed' }]);
  });

  test.each([
    ['U0GUEST', {}, 'guest', 'Guests of this workspace'],
    ['U0STRANGER', {}, 'stranger', 'not a member of this workspace'],
    ['U0ADA', { appId: 'A0OTHER' }, 'wrong_app', 'another app'],
    ['U0ADA', { teamId: 'T0OTHER' }, 'wrong_team', 'another workspace'],
  ])('and answered, a command of %s with %j', async (user, forge, reason, text) => {
    await type(user, 'incidents', forge);
    expect((await until(() => rig.slack.ephemerals(user)[0])).text).toContain(text);
    expect(rig.refusals).toMatchObject([{ reason }]);
  });
});
