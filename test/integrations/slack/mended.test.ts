import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { channel, incident, keep, plainCard, post, questionCard, type Rig, startRig, until } from './fixture.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

const decided = { state: 'decided', choice: 'keep', by: ['Ada'], at: '2026-03-01T14:05:00Z' } as const;
const cards = () =>
  rig.slack.channelMessages(channel).filter((message) => message.blocks?.some((block) => block.type === 'actions'));
const deleteMessage = (ts: string): void => {
  const message = rig.slack.world.message(channel, ts);
  if (message) rig.slack.world.remove(message);
};
const lines = (words: string) => rig.logs.filter((line) => line.includes(words));

describe('what only a person can fix', () => {
  /** https://docs.slack.dev/reference/methods/chat.postMessage#errors */
  test.each([
    ['token_revoked', 'install the app again'],
    ['account_inactive', 'install the app again'],
    ['invalid_auth', 'install the app again'],
    ['missing_scope', 'deploy/slack/manifest.yaml'],
    ['channel_not_found', '/invite the app'],
    ['not_in_channel', '/invite the app'],
    ['is_archived', 'restore it'],
    ['restricted_action_read_only_channel', 'who may post in it'],
    ['ekm_access_denied', 'administrators'],
  ])('(%s) is logged once, with what to do; the question waits, and is one card when it is fixed', async (error, what) => {
    rig.slack.fail('chat.postMessage', { error, times: 3 });
    for (let attempt = 0; attempt < 3; attempt += 1)
      await expect(post(rig)).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE', retryable: true, retryAfterMs: 30_000 });
    expect(lines('until somebody fixes this')).toHaveLength(1);
    expect(lines(error)[0]).toContain(what);
    const { ts } = await post(rig);
    expect(cards()).toMatchObject([{ ts }]);
  });

  test('an archived channel accepts neither cards nor edits, and both once it is restored', async () => {
    const place = { id: channel, name: 'security-incidents' };
    await post(rig, plainCard);
    rig.slack.world.channels.set(channel, { ...place, isArchived: true });
    const edit = () => rig.desk.updateQuestion({ card: { ...plainCard, status: decided } });
    await expect(edit()).rejects.toMatchObject({
      retryAfterMs: 30_000,
      detail: expect.stringContaining('is_inactive: the channel is archived'),
    });
    const other = { ...plainCard, questionId: 'question-2', incident: { ...incident, id: `${incident.id}-2`, title: 'another' } };
    await expect(post(rig, other)).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE', retryAfterMs: 30_000 });
    rig.slack.world.channels.set(channel, place);
    await edit();
    await post(rig, other);
    // Questions of one alert share a card.
    expect(rig.slack.channelMessages(channel)).toMatchObject([{ text: expect.stringContaining('2 targets, 1 undecided') }]);
  });

  test('a workspace with a time limit on edits: the edit is refused for good, and says so', async () => {
    await post(rig);
    rig.slack.fail('chat.update', { error: 'edit_window_closed' });
    await expect(rig.desk.updateQuestion({ card: questionCard() })).rejects.toMatchObject({
      code: 'FB_ERR_REFUSED',
      detail: expect.stringContaining('message editing'),
    });
  });
});

describe('what Slack does not accept', () => {
  test.each(['invalid_blocks', 'msg_blocks_too_long', 'msg_too_long'])(
    '(%s) is posted in short form with its buttons, and answers count; an edit restores it in full',
    async (error) => {
      rig.slack.fail('chat.postMessage', { error });
      const { ts } = await post(rig, plainCard);
      expect(cards()).toMatchObject([{ ts, text: expect.stringContaining('Answer by') }]);
      expect(rig.slack.world.message(channel, ts)?.blocks).toHaveLength(3);
      expect(lines('was shortened before it was sent')).toHaveLength(1);
      await rig.slack.click(keep);
      await until(() => rig.clicks[0]);
      await rig.desk.updateQuestion({ card: plainCard });
      expect(rig.slack.world.message(channel, ts)?.blocks?.length).toBeGreaterThan(3);
    },
  );

  test('however short, is refused, and the command line has it', async () => {
    rig.slack.fail('chat.postMessage', { error: 'invalid_blocks', times: 2 });
    await expect(post(rig)).rejects.toMatchObject({ code: 'FB_ERR_REFUSED', retryable: false });
  });
});

describe('a card that someone has deleted', () => {
  const edit = (changes: object = {}) => rig.desk.updateQuestion({ card: { ...plainCard, ...changes } });

  test('while it still asks is posted again with the same buttons; a click counts there, and the thread moves along', async () => {
    const old = await post(rig, plainCard);
    deleteMessage(old.ts);
    await edit();
    const [card] = cards();
    expect(cards()).toHaveLength(1);
    expect(card?.ts).not.toBe(old.ts);
    await rig.slack.click(keep);
    await until(() => rig.clicks[0]);
    expect(rig.clicks[0]).toMatchObject({ messageTs: card?.ts, button: { choice: 'keep' } });
    await rig.desk.postInThread({ key: 'line', incident, text: 'Pod quarantined' });
    expect(rig.slack.replies(channel, card?.ts ?? '').map(({ text }) => text)).toEqual(['Pod quarantined']);
    await edit({ status: decided });
    expect(rig.slack.channelMessages(channel)).toMatchObject([{ text: expect.stringContaining('Keep it, decided by') }]);
  });

  test.each([
    ['is posted without an answer', () => rig.slack.doThenReset('chat.postMessage')],
    ['is not posted at first', () => rig.slack.fail('chat.postMessage', { status: 503 })],
  ])('is still one card when the new one %s and the desk is killed', async (_what, fault) => {
    const old = await post(rig, plainCard);
    deleteMessage(old.ts);
    fault();
    await expect(edit()).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
    await rig.restart();
    await edit();
    expect(cards()).toHaveLength(1);
    await rig.slack.click(keep);
    await until(() => rig.clicks[0]);
  });

  test('after the decision stays deleted', async () => {
    const old = await post(rig, plainCard);
    deleteMessage(old.ts);
    await edit({ status: decided });
    expect(rig.slack.channelMessages(channel)).toEqual([]);
  });

  test('that started the thread: its news start another once the card is no longer edited', async () => {
    const old = await post(rig, plainCard);
    deleteMessage(old.ts);
    await rig.desk.postInThread({ key: 'line', incident, text: 'Pod quarantined' });
    const [root] = rig.slack.channelMessages(channel);
    expect(root?.text).toContain('incident on shop/cart');
    expect(rig.slack.replies(channel, root?.ts ?? '').map(({ text }) => text)).toEqual(['Pod quarantined']);
  });

  test('of several questions is posted again for all of them', async () => {
    const second = {
      ...plainCard,
      questionId: 'question-2',
      incident: { ...incident, id: 'incident/prod-1/shop/Deployment/pay', title: 'deployment/shop/pay' },
    };
    const old = await post(rig, plainCard);
    await post(rig, second);
    deleteMessage(old.ts);
    await rig.desk.updateQuestion({ card: second });
    expect(cards()).toHaveLength(1);
    expect(JSON.stringify(cards())).toContain('2 targets');
    expect(await rig.cards.message('question-2')).toEqual(await rig.cards.message('question-1'));
  });
});

test('a notice that someone has deleted is posted again, and edited in place from then on', async () => {
  const notice = { key: 'storm', title: 'Alert storm', time: '2026-03-01T14:05:00Z', lines: ['500 alerts'], table: [] };
  const { ts } = await rig.desk.showNotice(notice);
  deleteMessage(ts);
  await rig.desk.showNotice({ ...notice, lines: ['900 alerts'] });
  await rig.desk.showNotice({ ...notice, lines: ['999 alerts'] });
  expect(rig.slack.channelMessages(channel).map(({ text }) => text)).toEqual(['Alert storm: 999 alerts']);
});
