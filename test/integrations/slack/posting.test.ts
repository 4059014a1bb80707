import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { QuestionCard } from '../../../core/cards/card.ts';
import { FirebreakError, RetryLaterError } from '../../../core/errors.ts';
import { createSlackDesk } from '../../../integrations/slack/desk.ts';
import { eventually } from '../../eventually.ts';
import { fastPace } from '../../fakes/slack/fast-pace.ts';
import { stoppedClock } from '../../jest/stopped-clock.ts';
import {
  answer,
  appId,
  botToken,
  canBeAnswered,
  channel,
  incident,
  keep,
  plainCard,
  post,
  questionCard,
  type Rig,
  signingSecret,
  startRig,
  teamId,
} from './fixture.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(async () => {
  jest.useRealTimers();
  await rig.stop();
});

const cardsInChannel = () => rig.slack.channelMessages(channel).filter(canBeAnswered);
const decided = { state: 'decided', choice: 'release', by: ['Ada'], at: '2026-03-01T14:05:00Z' } as const;

describe('the card', () => {
  test('is posted once, however often it is requested, even concurrently', async () => {
    const [first, second] = await Promise.all([post(rig), post(rig)]);
    expect(await post(rig)).toEqual(first);
    expect(second).toEqual(first);
    expect(cardsInChannel()).toMatchObject([{ ts: first.ts, appId, metadata: { event_payload: { key: 'question-1' } } }]);
  });

  test.each(['doThenReset', 'hangs', 'fails with 500', 'fails with a Slack error'])(
    'is one card when Slack %s',
    async (fault) => {
      if (fault === 'hangs') {
        await rig.stop();
        rig = await startRig({ timeoutMs: 500 });
      }
      if (fault === 'doThenReset') rig.slack.doThenReset('chat.postMessage');
      if (fault === 'hangs') rig.slack.hang('chat.postMessage', 20_000);
      if (fault === 'fails with 500') rig.slack.fail('chat.postMessage', { status: 500 });
      if (fault === 'fails with a Slack error') rig.slack.fail('chat.postMessage', { error: 'internal_error' });
      await expect(post(rig)).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
      const ref = await eventually('the card', () => post(rig).catch(() => undefined));
      expect(cardsInChannel()).toMatchObject([{ ts: ref.ts }]);
    },
  );

  test('is found again by a new process that has only the database', async () => {
    rig.slack.doThenReset('chat.postMessage');
    await expect(post(rig)).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
    const desk = createSlackDesk({
      appId,
      teamId,
      botToken,
      signingSecrets: [signingSecret],
      channel,
      apiUrl: rig.slack.apiUrl,
      cards: rig.cards,
      crowding: async () => [],
      mayAnswer: async () => ({}),
      onMenu: async () => ({ text: '' }),
      onOrder: async () => ({ text: '' }),
      onLease: async () => ({ text: '' }),
      onShortcut: async () => ({ mrkdwn: '' }),
      onCommand: async () => ({ mrkdwn: '' }),
      onClick: async () => ({ text: '' }),
      onSignIn: async () => ({ text: '' }),
      onRefused: () => {},
      onUnproven: () => {},
      log: () => {},
    });
    await desk.postQuestion({ card: questionCard(), groups: ['oncall'], requester: 'x' });
    expect(cardsInChannel()).toHaveLength(1);
  });

  test('is not mistaken for someone else’s message with the same key', async () => {
    rig.slack.fail('chat.postMessage', { status: 500 });
    await expect(post(rig)).rejects.toBeInstanceOf(FirebreakError);
    const metadata = { event_type: 'firebreak_message', event_payload: { key: 'question-1' } };
    rig.slack.world.add({ channel, ts: rig.slack.world.nextTs(), user: 'U0MALLORY', appId: 'A0EVIL', text: 'mine', metadata });
    const ref = await post(rig);
    expect(rig.slack.world.message(channel, ref.ts)).toMatchObject({ appId });
  });

  test('is edited in place: the same message, no buttons', async () => {
    const ref = await post(rig);
    await rig.desk.updateQuestion({ card: questionCard({ status: decided }) });
    expect(cardsInChannel()).toEqual([]);
    expect(rig.slack.world.message(channel, ref.ts)).toMatchObject({
      text: expect.stringContaining('decided'),
      editedTs: expect.any(String),
    });
  });

  test('keeps its buttons through edits, in the same order with the same ids', async () => {
    await post(rig);
    const before = cardsInChannel()[0]?.blocks?.find((block) => block.type === 'actions');
    await rig.desk.updateQuestion({
      card: questionCard({ votes: [{ person: 'Ada', choice: 'release', at: '2026-03-01T14:05:00Z' }] }),
    });
    expect(cardsInChannel()[0]?.blocks?.find((block) => block.type === 'actions')).toEqual(before);
  });

  test('is never that of another question: what a click would sign is what was posted', async () => {
    await post(rig);
    const shown = cardsInChannel()[0]?.blocks;
    const choices = questionCard().choices.map((choice) => ({ ...choice, changes: ['Nothing'] }));
    const other = questionCard({ text: 'Is this a harmless test?', questionDigest: 'sha256:bbbb', choices });
    await expect(rig.desk.updateQuestion({ card: other })).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
    await expect(post(rig, other)).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
    expect(cardsInChannel()[0]?.blocks).toEqual(shown);
    expect((await rig.cards.buttonsOf('question-1')).map(({ questionDigest }) => questionDigest)).not.toContain('sha256:bbbb');
  });

  test('that was never posted cannot be edited', async () => {
    await expect(rig.desk.updateQuestion({ card: questionCard() })).rejects.toMatchObject({ code: 'FB_ERR_NOT_FOUND' });
  });
});

describe('a proposal across incidents that another run asks again', () => {
  const asked = (run: string, over: Partial<QuestionCard> = {}) => ({
    ...plainCard,
    incident: { ...incident, id: 'control/prod-1', run, title: 'decisions of prod-1' },
    questionId: 'suppression:0123456789abcdef',
    questionDigest: `sha256:${run}`,
    ...over,
  });

  test('is the same card, and its buttons answer the run that asks now', async () => {
    await rig.stop();
    rig = await startRig({ pace: fastPace() });
    const ref = await post(rig, asked('run-1'));
    await rig.desk.updateQuestion({ card: asked('run-1', { status: decided }) });
    expect(cardsInChannel()).toEqual([]);
    expect(await post(rig, asked('run-2'))).toEqual(ref);
    expect(cardsInChannel()).toMatchObject([{ ts: ref.ts }]);
    await rig.slack.click({ ...keep, ts: ref.ts });
    const click = await eventually('the click', () => Promise.resolve(rig.clicks[0]));
    expect(click.button).toMatchObject({ incident: { run: 'run-2' }, questionDigest: 'sha256:run-2' });
    await rig.desk.updateQuestion({ card: asked('run-2', { status: decided }) });
    expect(cardsInChannel()).toEqual([]);
  });

  test('hears nothing more from the previous run, even when its messages are sent again', async () => {
    await post(rig, asked('run-1'));
    await post(rig, asked('run-2'));
    await rig.restart();
    await expect(post(rig, asked('run-1'))).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
    await expect(rig.desk.updateQuestion({ card: asked('run-1', { status: decided }) })).rejects.toMatchObject({
      code: 'FB_ERR_REFUSED',
    });
    expect(cardsInChannel()).toHaveLength(1);
    const [first] = await rig.cards.buttonsOf('suppression:0123456789abcdef');
    expect(first?.incident.run).toBe('run-2');
  });

  test('is posted if its card was deleted meanwhile', async () => {
    const ref = await post(rig, asked('run-1'));
    const message = rig.slack.world.message(channel, ref.ts);
    if (message) rig.slack.world.remove(message);
    const again = await post(rig, asked('run-2'));
    expect(again.ts).not.toBe(ref.ts);
    expect(cardsInChannel()).toMatchObject([{ ts: again.ts }]);
  });

  test('is never that of other decisions', async () => {
    await post(rig, asked('run-1'));
    const theirs = asked('run-2');
    const other = { ...theirs, incident: { ...theirs.incident, id: 'control/prod-2' } };
    await expect(post(rig, other)).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
  });
});

describe('the thread', () => {
  test('is the one that the card started', async () => {
    const card = await post(rig);
    await rig.desk.postInThread({ key: 'line-1', incident, text: 'Pod quarantined' });
    expect(rig.slack.replies(channel, card.ts)).toMatchObject([{ text: 'Pod quarantined' }]);
    expect(rig.slack.channelMessages(channel)).toHaveLength(1);
  });

  test('is started by its first line otherwise, and the card links to it', async () => {
    await Promise.all(['a', 'b'].map((key) => rig.desk.postInThread({ key, incident, text: `line ${key}` })));
    await post(rig);
    const [root, card] = rig.slack.channelMessages(channel);
    expect(rig.slack.replies(channel, root?.ts ?? '')).toHaveLength(2);
    expect(JSON.stringify(card?.blocks)).toContain(`/archives/${channel}/p${root?.ts.replace('.', '')}|thread`);
    expect(rig.slack.channelMessages(channel)).toHaveLength(2);
  });

  test('has each line once, even when the answer to it was lost', async () => {
    await post(rig);
    rig.slack.doThenReset('chat.postMessage');
    const line = { key: 'line-1', incident, text: 'Pod <!channel> *quarantined*' };
    await expect(rig.desk.postInThread(line)).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
    const ref = await rig.desk.postInThread(line);
    expect(await rig.desk.postInThread(line)).toEqual(ref);
    const [root] = rig.slack.channelMessages(channel);
    expect(rig.slack.replies(channel, root?.ts ?? '')).toMatchObject([{ text: 'Pod &lt;!channel&gt; *quarantined*' }]);
  });
});

describe('a notice', () => {
  const notice = {
    key: 'storm/lab/1',
    title: 'Alert storm in <lab>',
    time: '2026-03-01T14:05:00Z',
    lines: ['500 alerts *now*'],
    table: ['400 × <!channel> ``` rule (falco) on shop/Deployment/web', ...Array.from({ length: 40 }, () => 'x'.repeat(400))],
    tableTitle: 'Most frequent',
  };

  test('is posted once, then edited in place; nothing in it pings, links or can be clicked', async () => {
    const ref = await rig.desk.showNotice(notice);
    expect(await rig.desk.showNotice({ ...notice, lines: ['700 alerts'] })).toEqual(ref);
    const [message, ...others] = rig.slack.channelMessages(channel);
    expect(others).toEqual([]);
    const shown = JSON.stringify(message?.blocks);
    expect(shown).toContain('700 alerts');
    expect(shown).toContain('400 × &lt;!channel&gt; ˋˋˋ rule');
    expect(shown).not.toContain('<!channel>');
    expect(shown).not.toContain('actions');
    expect(message?.text).toBe('Alert storm in &lt;lab&gt;: 700 alerts');
  });

  test('whose posting was not answered is found again, not posted twice', async () => {
    rig.slack.doThenReset('chat.postMessage');
    await expect(rig.desk.showNotice(notice)).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
    await rig.desk.showNotice(notice);
    expect(rig.slack.channelMessages(channel)).toHaveLength(1);
  });
});

describe('Slack’s faults', () => {
  test('a rate limit says when to come back, and then it works', async () => {
    const pass = stoppedClock();
    for (let count = 0; count < 4; count += 1) {
      await rig.desk.postInThread({ key: `line-${count}`, incident, text: 'news' }).catch(() => {});
    }
    const refusal: unknown = await post(rig).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(RetryLaterError);
    expect(refusal).toMatchObject({ code: 'FB_ERR_UNAVAILABLE', retryAfterMs: 1_000 });
    pass(1_050);
    await post(rig);
    expect(cardsInChannel()).toHaveLength(1);
  });

  test('rate-limited messages come back one after another, and nobody searches the channel for what was never posted', async () => {
    const pass = stoppedClock();
    for (let count = 0; count < 4; count += 1) await rig.desk.postInThread({ key: `line-${count}`, incident, text: 'news' });
    const late = ['x', 'y', 'z'].map((key) => () => rig.desk.postInThread({ key, incident, text: key }));
    const waits: number[] = [];
    for (const send of late) {
      const refusal: unknown = await send().catch((error: unknown) => error);
      if (refusal instanceof RetryLaterError) waits.push(refusal.retryAfterMs);
    }
    expect(waits.map((ms) => Math.round(ms / 500) * 500)).toEqual([1_000, 2_000, 3_000]);
    pass(3_050);
    for (const send of late) await send();
    expect(rig.slack.calls.filter(({ method }) => method === 'conversations.replies')).toHaveLength(0);
  });

  test('a refusal is final and names Slack’s reason, never the token', async () => {
    rig.slack.fail('chat.postMessage', { error: 'cannot_reply_to_message' });
    const refusal: unknown = await post(rig).catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      code: 'FB_ERR_REFUSED',
      detail: 'Slack answered chat.postMessage with cannot_reply_to_message',
    });
    expect(String(refusal)).not.toContain(botToken);
  });

  test('a hanging Slack is given up long before it ends', async () => {
    await rig.stop();
    rig = await startRig({ timeoutMs: undefined });
    rig.slack.hang('chat.postEphemeral', 600_000);
    await expect(answer(rig, 'x')).rejects.toMatchObject({
      code: 'FB_ERR_UNAVAILABLE',
    });
  });
});
