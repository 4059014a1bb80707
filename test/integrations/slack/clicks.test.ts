import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { QuestionCard } from '../../../core/cards/card.ts';
import type { ClickOptions } from '../../fakes/slack/index.ts';
import {
  answer,
  channel,
  keep,
  plainCard,
  post,
  questionCard,
  type Rig,
  signingSecret,
  startRig,
  target,
  until,
} from './fixture.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

/** A destructive choice: the dialog comes first, and the emulator fills it in. */
const remove: ClickOptions = { user: 'U0ADA', actionId: 'fb_decide1' };
/** Rejected before any dialog could open. */
const refused: ClickOptions = { ...remove, dialog: 'leave' };

describe('a click', () => {
  test('of a member reaches the service with the stored button, and only that person sees the answer', async () => {
    const ref = await post(rig);
    const delivery = await rig.slack.click(remove);
    expect(delivery).toMatchObject({ status: 200, body: '' });
    await until(() => rig.slack.ephemerals('U0ADA')[0]);
    expect(rig.clicks).toMatchObject([
      {
        clickId: expect.stringMatching(/^click-[0-9a-f]{32}$/),
        slackUser: 'U0ADA',
        channel,
        messageTs: ref.ts,
        button: {
          choice: 'remove',
          question: 'question-1',
          questionDigest: 'sha256:aaaa',
          requester: 'playbook:firebreak/contain-dropped-binary',
        },
      },
    ]);
    expect(rig.slack.ephemerals('U0ADA')).toMatchObject([{ text: expect.stringContaining('is recorded'), channel }]);
    expect(rig.slack.ephemerals('U0GRACE')).toEqual([]);
    expect(rig.refusals).toEqual([]);
  });

  test('has the same id when Slack redelivers it in a new request, and another click has another id', async () => {
    await post(rig, plainCard);
    const forge = { actionTs: '1700000000.000001' };
    await rig.slack.click({ ...keep, forge });
    await rig.slack.click({ ...keep, forge });
    await rig.slack.click(keep);
    await until(() => (rig.clicks.length === 3 ? true : undefined));
    const [first, again, other] = rig.clicks.map((click) => click.clickId);
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });

  test('is acknowledged at once even if the service is slow', async () => {
    await rig.stop();
    let finish: ((answer: { readonly text: string }) => void) | undefined;
    rig = await startRig({
      onClick: () =>
        new Promise((resolve) => {
          finish = resolve;
        }),
    });
    await post(rig);
    expect((await rig.slack.click(remove)).status).toBe(200);
    (await until(() => finish))({ text: 'late' });
    await until(() => rig.slack.ephemerals('U0ADA').find((message) => message.text === `late (${target})`));
  });

  test('is answered with what it is about, now and when the incident answers: one person may answer several questions', async () => {
    await post(rig);
    await rig.slack.click(remove);
    const said = () => rig.slack.ephemerals('U0ADA').map(({ text }) => text);
    await until(() => said()[0]);
    expect(said()).toEqual([expect.stringMatching(new RegExp(`\\(${target}\\)$`))]);
    const [click] = rig.clicks;
    expect(click?.about).toBe(target);
    await answer(rig, 'Decided.', { about: target });
    expect(said().at(-1)).toBe(`Decided. (${target})`);
  });

  test('is answered even when the service fails, without quoting its error', async () => {
    await rig.stop();
    rig = await startRig({ onClick: () => Promise.reject(new Error('password=hunter2')) });
    await post(rig);
    await rig.slack.click(remove);
    const answer = await until(() => rig.slack.ephemerals('U0ADA')[0]);
    expect(answer.text).toContain('was not recorded (FB_ERR_INTERNAL)');
    expect(JSON.stringify([rig.slack.world.messages, rig.logs])).not.toContain('hunter2');
  });
});

describe('the answer', () => {
  const faults = [{ status: 429, retryAfter: 30 }, { status: 500 }, { error: 'user_not_in_channel' }];
  const answers = [
    { what: 'to a click', card: plainCard, click: keep },
    { what: 'to a dialog', card: questionCard(), click: remove },
  ];
  test.each(faults.flatMap((fault) => answers.map((one) => ({ ...one, fault }))))(
    '$what comes via response_url when the channel fails with $fault',
    async ({ card, click, fault }) => {
      await post(rig, card);
      rig.slack.fail('chat.postEphemeral', fault);
      await rig.slack.click(click);
      await until(() => rig.slack.ephemerals('U0ADA').find((message) => message.text.includes('is recorded')));
    },
  );
});

describe('at the door, with 401, is refused and recorded', () => {
  const cases: readonly [string, NonNullable<ClickOptions['forge']>, string][] = [
    ['an unsigned click', { unsigned: true }, 'unsigned'],
    ['a click signed by someone else', { signingSecret: 'another-secret' }, 'bad_signature'],
    ['a click signed six minutes ago', { clockSeconds: -360 }, 'too_old'],
    ['a click signed six minutes in the future', { clockSeconds: 360 }, 'future_dated'],
  ];
  test.each(cases)('%s', async (_name, forge, reason) => {
    await post(rig);
    const delivery = await rig.slack.click({ ...remove, forge });
    expect(delivery.status).toBe(401);
    expect(JSON.parse(delivery.body)).toMatchObject({ error: reason });
    await until(() => rig.refusals[0]);
    expect(rig.refusals).toMatchObject([{ reason }]);
    expect(rig.clicks).toEqual([]);
  });

  test('the same bytes a second time', async () => {
    await post(rig);
    const { request } = await rig.slack.click(remove);
    await until(() => rig.clicks[0]);
    const again = await rig.slack.resend(request);
    expect(again.status).toBe(401);
    await until(() => rig.refusals[0]);
    expect(rig.refusals).toMatchObject([{ reason: 'replayed' }]);
    expect(rig.clicks).toHaveLength(1);
  });

  test('a changed body with a valid signature', async () => {
    await post(rig);
    const { request } = await rig.slack.click(remove);
    const again = await rig.slack.resend({ ...request, body: request.body.replaceAll('U0ADA', 'U0GRACE') });
    expect(again.status).toBe(401);
    expect(JSON.parse(again.body)).toMatchObject({ error: 'bad_signature' });
  });
});

describe('signed by Slack, but refused, answered and recorded, is', () => {
  const cases: readonly [string, ClickOptions, string][] = [
    ['a click for another app', { ...refused, forge: { appId: 'A0OTHER' } }, 'wrong_app'],
    ['a click from another workspace', { ...refused, forge: { teamId: 'T0OTHER' } }, 'wrong_team'],
    ['a click of a Slack Connect stranger', { ...refused, user: 'U0STRANGER' }, 'stranger'],
    [
      'a stranger whose payload claims our workspace',
      { ...refused, user: 'U0STRANGER', forge: { userTeamId: 'T0ACME' } },
      'stranger',
    ],
    ['two actions in one payload', { ...refused, forge: { doubled: true } }, 'not_one_action'],
    ['a button that was never posted', { ...refused, forge: { inventedValue: 'b_invented' } }, 'unknown_button'],
    ['our button on another message of the channel', { ...refused, forge: { messageTs: '1700000000.000001' } }, 'stale_card'],
    ['our button in another channel', { ...refused, forge: { channelId: 'C0OTHER' } }, 'wrong_message'],
    ['a bot', { ...refused, user: 'U0BOT' }, 'bot'],
    ['a deactivated account', { ...refused, user: 'U0GONE' }, 'deleted'],
    ['a guest', { ...refused, user: 'U0GUEST' }, 'guest'],
    ['a single-channel guest', { ...refused, user: 'U0ONECHANNEL' }, 'guest'],
  ];
  test.each(cases)('%s', async (_name, click, reason) => {
    await post(rig);
    const delivery = await rig.slack.click(click);
    expect(delivery.status).toBe(200);
    await until(() => rig.slack.ephemerals(click.user)[0]);
    expect(rig.refusals).toMatchObject([{ reason, slackUser: click.user }]);
    expect(rig.clicks).toEqual([]);
  });

  test('someone whom Slack does not know, answered via the click’s response_url', async () => {
    await post(rig);
    await rig.slack.click({ ...refused, user: 'U0NOBODY' });
    const answer = await until(() => rig.slack.ephemerals('U0NOBODY')[0]);
    expect(answer.text).toContain('could not find out who you are');
    expect(rig.refusals).toMatchObject([{ reason: 'unknown_user' }]);
    expect(rig.clicks).toEqual([]);
  });

  test('anybody while Slack cannot say who it is', async () => {
    await post(rig);
    rig.slack.fail('users.info', { status: 503 });
    await rig.slack.click(refused);
    const answer = await until(() => rig.slack.ephemerals('U0ADA')[0]);
    expect(answer.text).toContain('Try again');
    expect(rig.refusals).toMatchObject([{ reason: 'not_checked' }]);
    // An uncertain result is not remembered.
    await rig.slack.click(remove);
    await until(() => rig.clicks[0]);
  });

  test('a button of an old card, when the question has a new one', async () => {
    const old = await post(rig);
    rig.cards.messages.set('question-1', { channel, ts: '1999999999.000100' });
    await rig.slack.click({ ...refused, ts: old.ts });
    const answer = await until(() => rig.slack.ephemerals('U0ADA')[0]);
    expect(answer.text).toContain('out of date');
    expect(rig.refusals).toMatchObject([{ reason: 'stale_card', buttonId: expect.stringMatching(/^b_/) }]);
  });

  test.each([
    [{ type: 'block_actions', actions: [] }, 'malformed'],
    [{ type: 'view_submission', view: {} }, 'malformed'],
    [
      { type: 'view_submission', team: { id: 'T0ACME' }, user: { id: 'U0ADA' }, view: { id: 'V1', callback_id: 'x' } },
      'malformed',
    ],
    [{ type: 'shortcut', team: { id: 'T0ACME' }, user: { id: 'U0ADA' }, callback_id: 'x' }, 'unsupported'],
    [{ hello: 'world' }, 'malformed'],
  ])('something that is not a click: %j', async (payload, reason) => {
    expect((await rig.slack.deliver(payload)).status).toBe(200);
    await until(() => rig.refusals[0]);
    expect(rig.refusals).toMatchObject([{ reason }]);
    expect(rig.clicks).toEqual([]);
  });
});

describe('while the signing secret is rotated', () => {
  test('clicks signed with the old and with the new one both count, others do not', async () => {
    await rig.stop();
    rig = await startRig({ signingSecrets: ['the-new-secret', signingSecret] });
    await post(rig, questionCard());
    expect((await rig.slack.click(remove)).status).toBe(200);
    expect((await rig.slack.click({ ...remove, forge: { signingSecret: 'the-new-secret' } })).status).toBe(200);
    expect((await rig.slack.click({ ...remove, forge: { signingSecret: '' } })).status).toBe(401);
    await until(() => (rig.clicks.length === 2 ? true : undefined));
  });
});

describe('a question that is asked anew because a further finding has joined it', () => {
  const joined = { text: 'Is all of it expected?', questionDigest: 'sha256:bbbb' };

  test('is the same card with new buttons: a click on an earlier one decides nothing, and a later one signs what it shows', async () => {
    let clock = Date.now();
    await rig.stop();
    rig = await startRig({ now: () => clock });
    const { ts } = await post(rig);
    const before = await rig.cards.buttonsOf('question-1');
    await rig.desk.updateQuestion({ card: questionCard(joined) });
    expect(rig.slack.channelMessages(channel)).toMatchObject([{ ts }]);
    const after = await rig.cards.buttonsOf('question-1');
    const [old] = before.filter(({ choice }) => choice === 'remove');
    expect(after.some(({ buttonId }) => buttonId === old?.buttonId)).toBe(false);
    // Links to the page of the question stay valid.
    const standIn = ({ choice }: { readonly choice: string }) => choice === ':details';
    expect(after.find(standIn)?.buttonId).toBe(before.find(standIn)?.buttonId);
    clock += 10_000;
    await rig.slack.click({ ...refused, forge: { inventedValue: old?.buttonId ?? '' } });
    expect((await until(() => rig.slack.ephemerals('U0ADA')[0])).text).toContain('has changed since');
    await rig.slack.click(remove);
    await until(() => rig.clicks[0]);
    expect(rig.clicks).toMatchObject([{ button: { questionDigest: 'sha256:bbbb' } }]);
  });

  test('is refused if it offers other answers, or is over: that is another question', async () => {
    await post(rig);
    const refused = (card: QuestionCard) =>
      expect(rig.desk.updateQuestion({ card })).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
    await refused(questionCard({ ...joined, choices: questionCard().choices.slice(1) }));
    // It may be decided before its new words are on the card.
    const status = { state: 'decided', choice: 'remove', by: [], at: '2026-03-01T14:05:00Z' } as const;
    await rig.desk.updateQuestion({ card: questionCard({ ...joined, status }) });
    await refused(questionCard({ ...joined, questionDigest: 'sha256:cccc' }));
  });
});
