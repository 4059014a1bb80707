import { afterEach, describe, expect, test } from '@jest/globals';
import { FirebreakError, RetryLaterError } from '../../../core/errors.ts';
import { fastPace } from '../../fakes/slack/fast-pace.ts';
import type { Fault } from '../../fakes/slack/faults.ts';
import { answer, canBeAnswered, channel, incident, post, questionCard, type Rig, startRig, until } from './fixture.ts';

const rigs: Rig[] = [];
const pace = fastPace();
afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.stop();
});

async function rigged(): Promise<Rig> {
  const rig = await startRig({ timeoutMs: 1_000, triggerMs: 24_000, toldInPlaceMs: 500, pace });
  rigs.push(rig);
  return rig;
}

const notice = { key: 'storm', title: 'Alert storm', time: '2026-03-01T14:05:00Z', lines: ['500 alerts'], table: [] };
const decided = { state: 'decided', choice: 'remove', by: ['Ada'], at: '2026-03-01T14:05:00Z' } as const;

/** As the engine calls: repeatedly, each time as a new process that knows only what the database knows. */
async function untilDone<T>(rig: Rig, work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; attempt < 30; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof FirebreakError && error.retryable)) throw error;
      await rig.restart();
      await pace.sleep(error instanceof RetryLaterError ? error.retryAfterMs : 400);
    }
  }
  throw new Error('tried in vain');
}

const heard = (rig: Rig): number => rig.slack.ephemerals('U0ADA').length;

/** As a person does when told that it did not work: they click again. Each click is answered, or opens its dialog. */
async function clickUntilAccepted(rig: Rig): Promise<void> {
  for (let attempt = 0; attempt < 20 && rig.clicks.length === 0; attempt += 1) {
    const before = heard(rig);
    const { status } = await rig.slack.click({ user: 'U0ADA', actionId: 'fb_decide1' });
    // Slack itself tells the person.
    if (status !== 200) continue;
    await until(() => (rig.clicks.length > 0 || heard(rig) > before ? true : undefined));
  }
}

/** Everything that the desk does in Slack for one question, from its card to its end. */
async function live(rig: Rig): Promise<void> {
  await untilDone(rig, () => post(rig));
  await untilDone(rig, () => rig.desk.postInThread({ key: 'line', incident, text: 'Pod quarantined' }));
  await clickUntilAccepted(rig);
  await untilDone(rig, () => answer(rig, 'It is decided.'));
  await untilDone(rig, () => rig.desk.updateQuestion({ card: questionCard({ status: decided }) }));
  await untilDone(rig, () => rig.desk.showNotice(notice));
  await untilDone(rig, () => rig.desk.showNotice({ ...notice, lines: ['900 alerts'] }));
}

function told(rig: Rig) {
  const [card, shown, ...others] = rig.slack.channelMessages(channel);
  return {
    card: card?.text.includes('No: rotate secrets and delete pod, decided by'),
    buttons: card !== undefined && canBeAnswered(card),
    notice: shown?.text,
    others: others.length,
    thread: rig.slack.replies(channel, card?.ts ?? '').map(({ text }) => text),
    people: [...new Set(rig.clicks.map(({ slackUser, button, reason }) => `${slackUser} ${button.choice}: ${reason}`))].length,
    answered: rig.slack.ephemerals('U0ADA').some(({ text }) => text === 'It is decided.'),
  };
}

const once = {
  card: true,
  buttons: false,
  notice: 'Alert storm: 900 alerts',
  others: 0,
  thread: ['Pod quarantined'],
  people: 1,
  answered: true,
};

/** The calls of a life without faults: each method, with the number of its earlier calls. */
async function callsOfALife(): Promise<readonly { readonly method: string; readonly after: number }[]> {
  const rig = await rigged();
  await live(rig);
  expect(told(rig)).toEqual(once);
  const counts = new Map<string, number>();
  return rig.slack.calls.map(({ method }) => {
    const after = counts.get(method) ?? 0;
    counts.set(method, after + 1);
    return { method, after };
  });
}

const faults: readonly (readonly [string, Fault])[] = [
  ['hangs', { kind: 'hang', ms: 20_000 }],
  ['is done, and its answer is lost', { kind: 'doThenTimeout' }],
  ['fails with 503', { kind: 'fail', status: 503 }],
  ['is limited', { kind: 'fail', status: 429, error: 'ratelimited', retryAfter: 1 }],
];

describe('whichever call of Slack', () => {
  test.each(faults)(
    '%s, and the desk is killed: one card, decided; one line; one notice; no answer lost',
    async (_what, fault) => {
      const calls = await callsOfALife();
      expect(new Set(calls.map(({ method }) => method)).size).toBeGreaterThanOrEqual(5);
      await Promise.all(
        calls.map(async ({ method, after }) => {
          const rig = await rigged();
          rig.slack.faultAfter(method, after, fault);
          await live(rig);
          expect([method, after, told(rig)]).toEqual([method, after, once]);
        }),
      );
    },
  );

  test('is done without an answer, and the lookup fails, too: nothing is posted again before a lookup succeeds', async () => {
    await Promise.all(
      faults.map(async ([, fault]) => {
        const rig = await rigged();
        rig.slack.doThenReset('chat.postMessage');
        for (const method of ['conversations.history', 'conversations.replies']) rig.slack.faultAfter(method, 0, fault);
        await live(rig);
        expect(told(rig)).toEqual(once);
      }),
    );
  });
});
