import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { MessageRef, QuestionCard } from '../../../core/cards/card.ts';
import { joinableForMs } from '../../../core/cards/card-group.ts';
import { RetryLaterError } from '../../../core/errors.ts';
import type { SlackDeskOptions } from '../../../integrations/slack/desk.ts';
import { fastPace } from '../../fakes/slack/fast-pace.ts';
import { answer, channel, post as postOnce, questionCard, type Rig, startRig, until } from './fixture.ts';
import { cardOf, digestOf, nameOf } from './target-cards.ts';

let rig: Rig;
let clock: number;
const pace = fastPace();
beforeEach(() => startDesk({ pace }));
async function startDesk(options: Pick<SlackDeskOptions, 'pace'>): Promise<void> {
  clock = Date.now();
  rig = await startRig({
    ...options,
    receiptAfterMs: 200,
    now: () => clock + (Date.now() - began),
    onClick: async (click) => {
      rig.clicks.push(click);
      return { text: 'Taken.', taken: true };
    },
  });
}
const began = Date.now();
afterEach(() => rig.stop());

/** Retries what Slack rejects, as an activity does. */
async function patiently<Result>(work: () => Promise<Result>): Promise<Result> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof RetryLaterError)) throw error;
      await pace.sleep(error.retryAfterMs);
    }
  }
}
const post = (card: QuestionCard): Promise<MessageRef> => patiently(() => postOnce(rig, card));
const update = (card: QuestionCard): Promise<void> => patiently(() => rig.desk.updateQuestion({ card }));
const postAll = (numbers: readonly number[]) => Promise.all(numbers.map((number) => post(cardOf(number))));

const posted = () => rig.slack.world.messages.filter(({ ephemeralFor }) => ephemeralFor === undefined);
const theCard = () => {
  const [card] = posted();
  if (!card) throw new Error('there is no card');
  return card;
};
const shownText = () => JSON.stringify(theCard().blocks);
function buttonIdOf(actionId: string): string {
  const elements = (theCard().blocks ?? []).flatMap((block) => (block.type === 'actions' ? block.elements : []));
  const found = elements.find((element) => element.type === 'button' && element.action_id === actionId);
  if (found?.type !== 'button' || found.value === undefined) throw new Error(`no such button: ${actionId}`);
  return found.value;
}
const told = (user: string): string =>
  rig.slack
    .ephemerals(user)
    .map(({ text }) => text)
    .join('\n');
const decided = { status: { state: 'decided' as const, choice: 'remove', by: ['Ada'], at: new Date().toISOString() } };

describe('the same question about targets of one image', () => {
  test('is one card that lists them, even when they come at once', async () => {
    const places = await postAll([1, 2, 3, 4, 5]);
    expect(posted()).toHaveLength(1);
    expect(new Set(places.map(({ ts }) => ts))).toEqual(new Set([theCard().ts]));
    for (const number of [1, 2, 3, 4, 5]) expect(shownText()).toContain(`*${nameOf(number)}-x2x8k*: undecided; not proven yet`);
    expect(shownText()).toContain('5 targets in shop, 5 undecided');
    expect(shownText()).toContain('No: rotate secrets and delete pod (all 5)');
  });

  const others: readonly (readonly [string, Partial<QuestionCard>])[] = [
    ['another image', { happened: { ...cardOf(2).happened, image: 'registry.example.com/shop/cart:1.4.3' } }],
    ['no known image', { happened: questionCard({ happened: { rule: 'r', sensor: 's', at: '', count: 1 } }).happened }],
    ['another rule', { happened: { ...cardOf(2).happened, rule: 'Terminal shell in container' } }],
    ['another question', { text: 'Was the shell expected?' }],
    ['another severity', { incident: { ...cardOf(2).incident, severity: 'high' } }],
    ['other steps', { choices: cardOf(2).choices.map((choice) => ({ ...choice, actions: ['drainNode'] })) }],
    ['a sign-in', { choices: cardOf(2).choices.map((choice) => ({ ...choice, stepUp: true as const })) }],
  ];
  test.each(others)('is a card of its own with %s', async (_what, changes) => {
    await post(cardOf(1));
    await post(cardOf(2, changes));
    expect(posted()).toHaveLength(2);
  });

  test('starts another card when all are decided, or half an hour later: an edit notifies nobody', async () => {
    await postAll([1, 2]);
    for (const number of [1, 2]) await update(cardOf(number, decided));
    expect(shownText()).toContain('2 targets in shop, all settled');
    await post(cardOf(3));
    expect(posted()).toHaveLength(2);
    clock += joinableForMs;
    await post(cardOf(4));
    expect(posted()).toHaveLength(3);
  });

  test('is reported in one thread, by name', async () => {
    await postAll([1, 2]);
    for (const number of [1, 2])
      await patiently(() =>
        rig.desk.postInThread({ key: `line-${number}`, incident: cardOf(number).incident, text: 'contained' }),
      );
    const lines = posted().filter(({ threadTs }) => threadTs === theCard().ts);
    expect(lines.map(({ text }) => text)).toEqual([1, 2].map((number) => `shop/${nameOf(number)}: contained`));
  });
});

describe('one answer to all', () => {
  test('opens a dialog with every plan, asks for the end of a name and the count, and is one vote per target, each for its own plan', async () => {
    await postAll([1, 2, 3]);
    await rig.slack.click({ user: 'U0ADA', channel, actionId: 'fb_decide_all1', dialog: 'leave' });
    const { id: viewId, view } = await until(() => rig.slack.world.openView('U0ADA'));
    for (const number of [1, 2, 3]) expect(JSON.stringify(view.blocks)).toContain(`Delete pod ${nameOf(number)}-x2x8k`);
    const typed = (fb_target: string) => ({ user: 'U0ADA', viewId, typed: { fb_target, fb_reason: 'Not ours' } });
    for (const wrong of ['2x8k', '2x8k 2', 'abcd 3'])
      expect((await rig.slack.submitView(typed(wrong))).result).toMatchObject({ outcome: 'errors' });
    expect(rig.clicks).toEqual([]);
    expect((await rig.slack.submitView(typed('2X8K  3'))).result).toEqual({ outcome: 'closed' });
    await until(() => (rig.clicks.length === 3 ? true : undefined));
    expect(rig.clicks.map(({ button, reason }) => [button.question, button.questionDigest, button.choice, reason])).toEqual(
      [1, 2, 3].map((number) => [`question-${number}`, digestOf(number), 'remove', 'Not ours']),
    );
    expect(new Set(rig.clicks.map(({ clickId }) => clickId)).size).toBe(3);
    await until(() => (told('U0ADA').includes('Accepted for 3 of 3') ? true : undefined));
  });

  test('submitted twice has the same ids: each is one vote', async () => {
    await postAll([1, 2]);
    await rig.slack.click({ user: 'U0ADA', channel, actionId: 'fb_decide_all1', dialog: 'leave' });
    const { id: viewId } = await until(() => rig.slack.world.openView('U0ADA'));
    const sent = { user: 'U0ADA', viewId, typed: { fb_target: '2x8k 2', fb_reason: 'Not ours' } };
    await Promise.all([rig.slack.submitView(sent), rig.slack.submitView(sent)]);
    await until(() => (rig.clicks.length === 4 ? true : undefined));
    expect(new Set(rig.clicks.map(({ clickId }) => clickId)).size).toBe(2);
  });

  test('goes only to targets that were on the card when it was clicked and have not changed', async () => {
    await postAll([1, 2, 3]);
    const before = buttonIdOf('fb_decide_all1');
    await post(cardOf(4));
    await update(cardOf(2, { choices: cardOf(2).choices.map((choice) => ({ ...choice, changes: ['Delete the namespace'] })) }));
    await update(cardOf(3, decided));
    expect(buttonIdOf('fb_decide_all1')).not.toBe(before);
    await rig.slack.click({ user: 'U0ADA', channel, ts: theCard().ts, forge: { inventedValue: before }, dialog: 'leave' });
    const { id: viewId } = await until(() => rig.slack.world.openView('U0ADA'));
    const typed = { fb_target: '2x8k 1', fb_reason: 'Not ours' };
    expect((await rig.slack.submitView({ user: 'U0ADA', viewId, typed })).result).toEqual({ outcome: 'closed' });
    await until(() => rig.clicks[0]);
    expect(rig.clicks.map(({ button }) => button.question)).toEqual(['question-1']);
  });

  test('says which targets have changed while the dialog was open, and votes for the others', async () => {
    await postAll([1, 2, 3]);
    await rig.slack.click({ user: 'U0ADA', channel, actionId: 'fb_decide_all1', dialog: 'leave' });
    const { id: viewId } = await until(() => rig.slack.world.openView('U0ADA'));
    // The incident has become worse or better: other people are needed.
    await update(cardOf(2, { incident: { ...cardOf(2).incident, severity: 'high' } }));
    await update(cardOf(3, decided));
    const typed = { fb_target: '2x8k 3', fb_reason: 'Not ours' };
    await rig.slack.submitView({ user: 'U0ADA', viewId, typed });
    await until(() => (told('U0ADA').includes('Accepted for 1 of 3') ? true : undefined));
    expect(told('U0ADA')).toMatch(/Not voted on, .*: shop\/cart-002-x2x8k, shop\/cart-003-x2x8k/);
    expect(rig.clicks.map(({ button }) => button.question)).toEqual(['question-1']);
  });

  test('is refused without a dialog to people who may not answer, and in a dialog opened by someone else', async () => {
    await postAll([1, 2]);
    await rig.slack.click({ user: 'U0GUEST', channel, actionId: 'fb_decide_all1', dialog: 'leave' });
    expect(await until(() => rig.refusals[0])).toMatchObject({ reason: 'guest' });
    await rig.slack.click({ user: 'U0ADA', channel, actionId: 'fb_decide_all1', dialog: 'leave' });
    const { id: viewId } = await until(() => rig.slack.world.openView('U0ADA'));
    await rig.slack.submitView({ user: 'U0GRACE', viewId, typed: { fb_target: '2x8k 2', fb_reason: 'Not ours' } });
    await until(() => (rig.refusals.length === 2 ? true : undefined));
    expect(rig.refusals[1]).toMatchObject({ reason: 'not_opener' });
    expect(rig.clicks).toEqual([]);
  });
});

describe('the list to choose from', () => {
  async function chosen(fill: Readonly<Record<string, string>>) {
    await rig.slack.click({ user: 'U0ADA', channel, actionId: 'fb_choose', dialog: 'leave' });
    const { id: viewId } = await until(() => rig.slack.world.openView('U0ADA'));
    const base = { fb_choice: '', fb_targets0: '', fb_target: '', fb_reason: '' };
    return (await rig.slack.submitView({ user: 'U0ADA', viewId, typed: { ...base, ...fill } })).result;
  }

  test('answers only for those that are ticked', async () => {
    await postAll([1, 2, 3]);
    const right = { fb_choice: '1', fb_targets0: '1,2', fb_target: '2x8k 2', fb_reason: 'Not ours' };
    expect(await chosen({ ...right, fb_target: '2x8k 3' })).toMatchObject({ errors: { fb_target: expect.any(String) } });
    expect(await chosen({ ...right, fb_reason: '' })).toMatchObject({ errors: { fb_reason: expect.any(String) } });
    expect(await chosen({ ...right, fb_targets0: '' })).toMatchObject({ errors: { fb_targets0: expect.any(String) } });
    expect(rig.clicks).toEqual([]);
    expect(await chosen(right)).toEqual({ outcome: 'closed' });
    await until(() => (rig.clicks.length === 2 ? true : undefined));
    expect(rig.clicks.map(({ button }) => button.question)).toEqual(['question-2', 'question-3']);
  });

  test('needs nothing typed for a choice that ends nothing, but a reason for one that weakens', async () => {
    await postAll([1, 2]);
    expect(await chosen({ fb_choice: '0', fb_targets0: '0' })).toMatchObject({ errors: { fb_reason: expect.any(String) } });
    expect(await chosen({ fb_choice: '0', fb_targets0: '0', fb_reason: 'Ours' })).toEqual({ outcome: 'closed' });
    await until(() => rig.clicks[0]);
    expect(rig.clicks).toMatchObject([{ button: { question: 'question-1', choice: 'release' } }]);
  });
});

test('each target has a menu of its own', async () => {
  await postAll([1, 2]);
  const [, second] = (theCard().blocks ?? []).flatMap((block) =>
    block.type === 'section' && block.accessory?.type === 'overflow' ? [block.accessory] : [],
  );
  const option = second?.options.find(({ text }) => text.text === 'Remind me in 15 minutes')?.value ?? '';
  await rig.slack.click({ user: 'U0ADA', channel, option });
  await until(() => (told('U0ADA').includes(':snooze') ? true : undefined));
});

test('the outcomes of all targets come in one answer', async () => {
  const answers = [1, 2, 3].map((number) => {
    const text = number === 2 ? 'An alert names you as the actor.' : 'Decided: “No”.';
    return answer(rig, text, { together: { id: 'click-1', name: nameOf(number) } }, `vote-${number}`);
  });
  await Promise.all(answers);
  expect(rig.slack.ephemerals('U0ADA').map(({ text }) => text)).toEqual([
    '2 × Decided: “No”. (cart-001, cart-003) 1 × An alert names you as the actor. (cart-002)',
  ]);
});

test('a hundred at once are one card, within Slack’s limits, with few edits, and one dialog lists them all', async () => {
  // At a real desk's pace: a faster one would let a used machine edit more often while they arrive.
  await rig.stop();
  await startDesk({});
  await postAll(Array.from({ length: 100 }, (_, number) => number));
  expect(posted()).toHaveLength(1);
  expect(theCard().blocks?.length).toBeLessThanOrEqual(50);
  expect(shownText()).toMatch(/100 targets.* and \d+ more/);
  expect(rig.slack.calls.filter(({ method }) => method === 'chat.update').length).toBeLessThan(15);
  await rig.slack.click({ user: 'U0ADA', channel, actionId: 'fb_choose', dialog: 'leave' });
  const { id: viewId } = await until(() => rig.slack.world.openView('U0ADA'));
  const ticked = Object.fromEntries(Array.from({ length: 10 }, (_, block) => [`fb_targets${block}`, String(block * 10)]));
  const typed = { ...ticked, fb_choice: '1', fb_target: '2x8k 10', fb_reason: 'Not ours' };
  expect((await rig.slack.submitView({ user: 'U0ADA', viewId, typed })).result).toEqual({ outcome: 'closed' });
  await until(() => (rig.clicks.length === 10 ? true : undefined));
  expect(rig.clicks.map(({ button }) => button.question)).toEqual(
    Array.from({ length: 10 }, (_, place) => `question-${place * 10}`),
  );
  await post(cardOf(100));
  expect(posted()).toHaveLength(2);
});

test('a restarted desk knows which questions share a card', async () => {
  await postAll([1, 2]);
  await rig.restart();
  await post(cardOf(3));
  expect(posted()).toHaveLength(1);
  expect(shownText()).toContain('(all 3)');
  await rig.slack.click({ user: 'U0ADA', channel, actionId: 'fb_decide_all1' });
  await until(() => (rig.clicks.length === 3 ? true : undefined));
});

test('a target that a further finding has joined says so itself, and an answer from before does not count for it', async () => {
  await postAll([1, 2, 3]);
  const before = buttonIdOf('fb_choose');
  const joined = {
    text: 'Is the new binary in cart-002-x2x8k expected? The answer also covers a further finding: “Shell” (low).',
  };
  await update(cardOf(2, { ...joined, questionDigest: 'sha256:joined' }));
  expect(posted()).toHaveLength(1);
  expect(shownText()).toContain('The answer also covers a further finding: “Shell” (low).');
  expect(shownText().split('Is the new binary in')).toHaveLength(3);
  expect(buttonIdOf('fb_choose')).not.toBe(before);
});
