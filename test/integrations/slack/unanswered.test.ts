import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { channel, keep, plainCard, post, type Rig, startRig, until } from './fixture.ts';

let rig: Rig;
let clock: number;
/** What `onClick` and `onCommand` wait for. */
let goOn: () => void;

beforeEach(async () => {
  clock = Date.now();
  const held = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  rig = await startRig({
    now: () => clock,
    onClick: async ({ button }) => {
      if (button.choice === 'keep') await held;
      return { text: 'Taken.' };
    },
    onCommand: async ({ text }) => {
      if (text === 'incidents') await held;
      return { mrkdwn: 'Here you are.' };
    },
  });
});
afterEach(async () => {
  goOn();
  await rig.stop();
});

const told = (): readonly string[] => rig.slack.ephemerals('U0ADA').map(({ text }) => text);

describe('someone who was not answered when the desk died', () => {
  test('after a click is told by the next desk, with a link to the card', async () => {
    await post(rig, plainCard);
    expect((await rig.slack.click(keep)).status).toBe(200);
    clock += 16_000;
    await rig.restart();
    const text = await until(() => told()[0]);
    expect(text).toContain('restarted as you answered');
    expect(JSON.stringify(rig.slack.ephemerals('U0ADA')[0]?.blocks)).toMatch(/<https:[^|]+\|The card>/);
    expect(rig.cards.unanswered.size).toBe(0);
  });

  test('after a command is told what they typed', async () => {
    await rig.slack.command({ user: 'U0ADA', channel, command: '/firebreak', text: 'incidents' });
    clock += 16_000;
    await rig.restart();
    expect(await until(() => told()[0])).toContain('as you typed /firebreak');
  });

  test('is told again if Slack did not accept it', async () => {
    await post(rig, plainCard);
    await rig.slack.click(keep);
    clock += 16_000;
    rig.slack.fail('chat.postEphemeral', { status: 503 });
    await rig.restart();
    await until(() => (rig.logs.some((line) => line.includes('nobody was told')) ? true : undefined));
    await rig.restart();
    expect(await until(() => told()[0])).toContain('restarted as you answered');
  });
});

describe('no notice goes to', () => {
  test('someone who was answered', async () => {
    await post(rig);
    await rig.slack.command({ user: 'U0ADA', channel, command: '/firebreak', text: 'questions' });
    await until(() => (rig.cards.unanswered.size === 0 ? true : undefined));
    clock += 16_000;
    const before = rig.cards.looks;
    await rig.restart();
    await until(() => (rig.cards.looks > before ? true : undefined));
    expect(told().filter((text) => text.includes('restarted'))).toEqual([]);
  });

  test('someone whom a slow desk answers', async () => {
    await post(rig, plainCard);
    await rig.slack.click(keep);
    clock += 16_000;
    const before = rig.cards.looks;
    await until(() => (rig.cards.looks > before ? true : undefined));
    expect(told()).toEqual([]);
    expect(rig.cards.unanswered.size).toBe(1);
    goOn();
    expect(await until(() => told()[0])).toContain('Taken.');
    await until(() => (rig.cards.unanswered.size === 0 ? true : undefined));
  });
});
