import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { channel, keep, plainCard, post, type Rig, startRig, until } from './fixture.ts';
import { cardOf } from './target-cards.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

/** People see the card, but the desk that posted it was killed before it received the answer. */
async function killedAfterPosting(): Promise<void> {
  rig.slack.doThenReset('chat.postMessage');
  await expect(post(rig, plainCard)).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
  await rig.restart();
  expect(rig.slack.channelMessages(channel)).toHaveLength(1);
}

describe('a card that Slack shows and has not confirmed', () => {
  test('accepts a click before its posting has been repeated, and stays one card', async () => {
    await killedAfterPosting();
    await rig.slack.click(keep);
    await until(() => rig.clicks[0]);
    expect(rig.clicks).toMatchObject([{ slackUser: 'U0ADA', button: { choice: 'keep' } }]);
    expect(rig.refusals).toEqual([]);
    await post(rig, plainCard);
    expect(rig.slack.channelMessages(channel)).toHaveLength(1);
  });

  test('accepts a click while Slack’s answer to the posting is pending', async () => {
    rig.slack.doThenTimeout('chat.postMessage');
    let isOut = true;
    const posting = post(rig, plainCard).catch(() => {
      isOut = false;
    });
    await until(() => rig.slack.channelMessages(channel)[0]);
    await rig.slack.click(keep);
    await until(() => rig.clicks[0]);
    expect(isOut).toBe(true);
    await rig.stop();
    await posting;
  });

  test('accepts a click in the thread of a summary, too', async () => {
    await rig.stop();
    rig = await startRig({ crowding: async () => [[]] });
    await post(rig, cardOf(2, { choices: plainCard.choices, text: 'Another question' }));
    rig.slack.doThenReset('chat.postMessage');
    await expect(post(rig, plainCard)).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
    await rig.restart();
    await rig.slack.click(keep);
    await until(() => rig.clicks[0]);
    expect(rig.clicks).toMatchObject([{ button: { question: 'question-1' } }]);
    expect(rig.refusals).toEqual([]);
  });

  test('of several questions accepts an answer to the one that joined it as the desk was killed', async () => {
    const cards = [1, 2].map((number) => cardOf(number, { choices: plainCard.choices }));
    for (const card of cards) await post(rig, card);
    const joined = cards[1]?.questionId ?? '';
    rig.cards.messages.delete(joined);
    await rig.restart();
    const comment = (await rig.cards.buttonsOf(joined)).find(({ choice }) => choice === ':comment');
    await rig.slack.click({ user: 'U0ADA', option: comment?.buttonId ?? '', dialog: 'leave' });
    await until(() => rig.slack.world.openView('U0ADA'));
    expect(rig.refusals).toEqual([]);
  });

  test('is not accepted where someone else shows its button', async () => {
    await killedAfterPosting();
    await rig.slack.click({ ...keep, dialog: 'leave', forge: { messageTs: '1700000000.000001' } });
    expect((await until(() => rig.slack.ephemerals('U0ADA')[0])).text).toMatch(/out of date/);
    expect(rig.clicks).toEqual([]);
  });

  test('is reported as such when Slack cannot be asked for it, and the next click counts', async () => {
    await killedAfterPosting();
    rig.slack.fail('conversations.history', { status: 503 });
    await rig.slack.click(keep);
    const answer = await until(() => rig.slack.ephemerals('U0ADA')[0]);
    expect(answer.text).toMatch(/could not look up .* Nothing was decided. Click again/);
    expect(rig.refusals).toMatchObject([{ reason: 'not_looked_up', slackUser: 'U0ADA' }]);
    await rig.slack.click(keep);
    await until(() => rig.clicks[0]);
  });

  test('is reported as such when Slack does not show it to us yet', async () => {
    await killedAfterPosting();
    const { messages } = rig.slack.world;
    const [shown] = messages;
    if (!shown) throw new Error('no card');
    const { metadata: _, ...unmarked } = shown;
    messages.splice(0, 1, unmarked);
    await rig.slack.click(keep);
    const answer = await until(() => rig.slack.ephemerals('U0ADA')[0]);
    expect(answer.text).toMatch(/has not confirmed it to Firebreak yet. Nothing was decided. Click again/);
    expect(rig.refusals).toMatchObject([{ reason: 'not_confirmed' }]);
  });
});

test('a click for which the desk cannot look anything up is answered', async () => {
  await post(rig, plainCard);
  rig.cards.button = () => Promise.reject(new Error('password=hunter2'));
  await rig.slack.click(keep);
  const answer = await until(() => rig.slack.ephemerals('U0ADA')[0]);
  expect(answer.text).toMatch(/could not look up/);
  expect(JSON.stringify([rig.slack.world.messages, rig.logs])).not.toContain('hunter2');
});

test('a dialog for which the desk cannot look anything up says so', async () => {
  await post(rig);
  await rig.slack.click({ user: 'U0ADA', actionId: 'fb_decide1', dialog: 'leave' });
  const view = await until(() => rig.slack.world.openView('U0ADA'));
  rig.cards.modal = () => Promise.reject(new Error('password=hunter2'));
  const typed = { fb_target: 'x2x8k'.slice(-4), fb_reason: 'Nobody built this binary' };
  await rig.slack.submitView({ viewId: view.id, user: 'U0ADA', typed });
  expect(JSON.stringify(rig.slack.world.openView('U0ADA')?.view.blocks)).toMatch(/could not look up/);
  expect(rig.clicks).toEqual([]);
});
