import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { OpenModal } from '../../../../core/cards/card-store.ts';
import { decisionView } from '../../../../integrations/slack/views/decision-view.ts';
import type { ClickOptions, Forgery } from '../../../fakes/slack/index.ts';
import { viewOf } from '../../../fakes/slack/methods/view-methods.ts';
import type { FakeView } from '../../../fakes/slack/world.ts';
import { channel, post, questionCard, type Rig, startRig, until } from '../fixture.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

const remove: ClickOptions = { user: 'U0ADA', actionId: 'fb_decide1', dialog: 'leave' };
const right = { fb_target: '2x8k', fb_reason: 'Nobody built this binary' };

async function opened(click: ClickOptions = remove): Promise<FakeView> {
  await rig.slack.click(click);
  const view = await until(() => rig.slack.world.openView(click.user));
  await until(() => [...rig.cards.modals.values()].find(({ viewId }) => viewId === view.id));
  return view;
}

async function openedOnCard(): Promise<FakeView> {
  await post(rig);
  return opened();
}

const submit = (view: FakeView, typed: Readonly<Record<string, string>> = right, user = 'U0ADA', forge: Forgery = {}) =>
  rig.slack.submitView({ viewId: view.id, user, typed, forge });

const answers = (user = 'U0ADA') => rig.slack.ephemerals(user).map(({ text }) => text);

describe('a destructive choice', () => {
  test('opens a dialog that shows what it does and touches, and carries one opaque id', async () => {
    const { view } = await openedOnCard();
    const shown = JSON.stringify(view.blocks);
    for (const text of [
      'cannot be undone',
      'Delete pod cart-7d9c5b6f4-x2x8k',
      'Secret/shop/cart-db',
      '2 of 3 replicas stay ready',
    ])
      expect(shown).toContain(text);
    expect(view.private_metadata).toMatch(/^m_[\w-]{24}$/);
    expect(rig.clicks).toEqual([]);
    expect(answers()).toEqual([]);
  });

  test('counts when the last four characters and a reason are typed, and passes the reason on', async () => {
    const view = await openedOnCard();
    const sent = await submit(view, { ...right, fb_target: ' 2X8K ' });
    expect(sent).toMatchObject({ status: 200, body: '', result: { outcome: 'closed' } });
    await until(() => answers()[0]);
    expect(rig.clicks).toMatchObject([{ button: { choice: 'remove' }, slackUser: 'U0ADA', channel, reason: right.fb_reason }]);
    expect(rig.slack.world.openView('U0ADA')).toBeUndefined();
  });

  test.each([
    ['other characters', { ...right, fb_target: 'x2x8' }, ['fb_target']],
    ['only three of them', { ...right, fb_target: 'x8k' }, ['fb_target']],
    ['a reason of blanks', { ...right, fb_reason: '      ' }, ['fb_reason']],
    ['both wrong', { fb_target: 'nope', fb_reason: '   .' }, ['fb_target', 'fb_reason']],
  ])('does not count with %s: the dialog stays, and says what is wrong', async (_what, typed, wrong) => {
    const view = await openedOnCard();
    const { result } = await submit(view, typed);
    expect(result.outcome).toBe('errors');
    expect(Object.keys('errors' in result ? result.errors : {})).toEqual(wrong);
    expect(rig.clicks).toEqual([]);
    // The same dialog, corrected.
    await submit(view);
    await until(() => rig.clicks[0]);
  });

  test('has known secrets taken out of its reason', async () => {
    const view = await openedOnCard();
    await submit(view, { ...right, fb_reason: 'it ran with password=hunter2hunter2' });
    const click = await until(() => rig.clicks[0]);
    expect(click.reason).not.toContain('hunter2');
  });

  test('submitted again in a new request is the same answer', async () => {
    const view = await openedOnCard();
    await submit(view);
    rig.slack.world.views.set(view.id, view);
    await submit(view);
    await until(() => (rig.clicks.length === 2 ? true : undefined));
    expect(rig.clicks[0]?.clickId).toBe(rig.clicks[1]?.clickId);
  });
});

test('a choice that weakens asks only for the reason', async () => {
  await post(rig);
  const view = await opened({ ...remove, actionId: 'fb_decide0' });
  expect(JSON.stringify(view.view.blocks)).toContain('After this, it has its network back');
  expect(JSON.stringify(view.view.blocks)).not.toContain('Last four');
  await submit(view, { fb_reason: 'our own release' });
  expect(await until(() => rig.clicks[0])).toMatchObject({ button: { choice: 'release' }, reason: 'our own release' });
});

describe('a choice with a form', () => {
  const form = {
    hours: { kind: 'number', label: 'For how many hours?', min: 1, max: 72 },
    how: { kind: 'choice', label: 'How?', options: { soft: 'Softly', hard: 'At once' } },
    who: {
      kind: 'people',
      label: 'Who looks?',
      most: 2,
      people: [
        { id: 'ada', name: 'Ada' },
        { id: 'ben', name: 'Ben' },
      ],
    },
  } as const;
  const typed = { fb_form_hours: '4', fb_form_how: 'hard', fb_form_who: 'ada,ben' };
  const postForm = async () => {
    const card = questionCard();
    const plain = { destructive: false, weakens: false, changes: [], blastRadius: [], notes: [] };
    await post(rig, { ...card, choices: card.choices.map((one) => (one.id === 'remove' ? { ...one, ...plain, form } : one)) });
    return opened();
  };

  test('asks for it in a dialog, and passes on what is filled in; a reason may be left out', async () => {
    const view = await postForm();
    const shown = JSON.stringify(view.view.blocks);
    for (const text of ['For how many hours?', 'Enter a number from 1 to 72.', 'At once', 'Ben']) expect(shown).toContain(text);
    expect(shown).not.toContain('weakens');
    await submit(view, typed);
    const click = await until(() => rig.clicks[0]);
    expect(click).toMatchObject({ button: { choice: 'remove' }, answers: { hours: 4, how: 'hard', who: ['ada', 'ben'] } });
    expect(click.reason).toBeUndefined();
  });

  test.each([
    ['an invalid number', { ...typed, fb_form_hours: 'four' }, ['fb_form_hours']],
    ['a number that is too large', { ...typed, fb_form_hours: '73' }, ['fb_form_hours']],
  ])('does not count with %s: the dialog stays, and says what is wrong', async (_what, given, wrong) => {
    const { result } = await submit(await postForm(), given);
    expect(Object.keys('errors' in result ? result.errors : {})).toEqual(wrong);
    expect(rig.clicks).toEqual([]);
  });
});

test('a choice that needs a sign-in is answered with a link to it, and decides nothing', async () => {
  await rig.stop();
  const asked: unknown[] = [];
  rig = await startRig({
    onSignIn: async (click, { card, choice }) => {
      asked.push([click.reason, card.text, choice.label]);
      return { text: 'It needs your sign-in <!channel>.', link: 'https://firebreak.example.com/sign-in/abc' };
    },
  });
  const card = questionCard();
  const choices = card.choices.map((one) => (one.id === 'remove' ? { ...one, stepUp: true as const } : one));
  await post(rig, { ...card, choices });
  const view = await opened();
  await submit(view);
  const told = await until(() => rig.slack.ephemerals('U0ADA')[0]);
  expect(asked).toEqual([[right.fb_reason, card.text, 'No: rotate secrets and delete pod']]);
  expect(JSON.stringify(told.blocks)).toContain('<https://firebreak.example.com/sign-in/abc|Sign in and decide>');
  expect(JSON.stringify(told.blocks)).not.toContain('<!channel>');
  expect(rig.clicks).toEqual([]);
});

test('someone who may not answer gets a reply instead of a dialog', async () => {
  await rig.stop();
  rig = await startRig({ mayAnswer: async () => ({ refusal: 'Only oncall may answer this.' }) });
  await post(rig);
  await rig.slack.click(remove);
  expect(await until(() => answers()[0])).toBe('Only oncall may answer this. (shop/cart-7d9c5b6f4-x2x8k)');
  expect(rig.slack.calls.filter(({ method }) => method === 'views.open')).toEqual([]);
});

test.each([{ error: 'expired_trigger_id' }, { status: 503 }])(
  'a dialog that Slack does not open (%j) is reported',
  async (fault) => {
    await post(rig);
    rig.slack.fail('views.open', fault);
    await rig.slack.click(remove);
    expect(await until(() => answers()[0])).toContain('Nothing was decided. Click again');
  },
);

test('a dialog whose opening Slack never confirmed still counts', async () => {
  await post(rig);
  rig.slack.doThenReset('views.open');
  await rig.slack.click(remove);
  const view = await until(() => rig.slack.world.openView('U0ADA'));
  await until(() => answers()[0]);
  await submit(view);
  await until(() => rig.clicks[0]);
});

test('a dialog opened by one desk counts at the desk running when it is submitted, and is answered', async () => {
  const view = await openedOnCard();
  const next = await startRig({ cards: rig.cards, apiUrl: rig.slack.apiUrl });
  rig.slack.setInteractionsUrl(next.url);
  await submit(view);
  await until(() => answers()[0]);
  expect(next.clicks).toMatchObject([{ button: { choice: 'remove' }, reason: right.fb_reason }]);
  expect(rig.clicks).toEqual([]);
  await next.stop();
});

describe('a submitted dialog is refused, answered and recorded', () => {
  const forged: readonly (readonly [string, Forgery, string])[] = [
    ['for another app', { appId: 'A0OTHER' }, 'wrong_app'],
    ['from another workspace', { teamId: 'T0OTHER' }, 'wrong_team'],
    ['by someone from another workspace', { userTeamId: 'T0OTHER' }, 'stranger'],
    ['with an id that was never issued', { privateMetadata: 'm_invented' }, 'unknown_dialog'],
    ['with the id of another view', { viewId: 'V99999999' }, 'unknown_dialog'],
  ];
  test.each(forged)('%s', async (_name, forge, reason) => {
    const view = await openedOnCard();
    const { status, result } = await submit(view, right, 'U0ADA', forge);
    expect(status).toBe(200);
    expect(result).toEqual({ outcome: 'updated' });
    expect(JSON.stringify(rig.slack.world.openView('U0ADA')?.view)).toContain('Not taken');
    await until(() => rig.refusals[0]);
    expect(rig.refusals).toMatchObject([{ reason }]);
    expect(rig.clicks).toEqual([]);
  });

  test('by someone other than its opener', async () => {
    const view = await openedOnCard();
    await submit(view, right, 'U0GRACE');
    expect(await until(() => answers('U0GRACE')[0])).toContain('Somebody else opened this dialog');
    expect(rig.refusals).toMatchObject([{ reason: 'not_opener', slackUser: 'U0GRACE' }]);
    expect(rig.clicks).toEqual([]);
  });

  const later: readonly (readonly [string, (modal: OpenModal) => void, string])[] = [
    [
      'after an hour',
      (modal) => rig.cards.modals.set(modal.modalId, { ...modal, openedAt: Date.now() - 3_700_000 }),
      'old_dialog',
    ],
    [
      'when its card has been replaced',
      () => rig.cards.messages.set('question-1', { channel, ts: '1999999999.000100' }),
      'stale_card',
    ],
    ['when its button no longer exists', () => rig.cards.buttons.clear(), 'unknown_button'],
  ];
  test.each(later)('%s', async (_name, change, reason) => {
    const view = await openedOnCard();
    const [modal] = rig.cards.modals.values();
    if (!modal) throw new Error('no dialog was remembered');
    change(modal);
    await submit(view);
    await until(() => answers()[0]);
    expect(rig.refusals).toMatchObject([{ reason }]);
    expect(rig.clicks).toEqual([]);
  });

  test('unsigned, forged, old or replayed, with 401', async () => {
    const view = await openedOnCard();
    const refusals = [{ unsigned: true }, { signingSecret: 'another' }, { clockSeconds: -360 }, { clockSeconds: 360 }];
    for (const forge of refusals) expect((await submit(view, right, 'U0ADA', forge)).status).toBe(401);
    const { request } = await submit(view);
    await until(() => rig.clicks[0]);
    expect((await rig.slack.resend(request)).status).toBe(401);
    expect(rig.refusals.map(({ reason }) => reason)).toEqual([
      'unsigned',
      'bad_signature',
      'too_old',
      'future_dated',
      'replayed',
    ]);
    expect(rig.clicks).toHaveLength(1);
  });
});

describe('a click within 2 s of an edit', () => {
  const other = questionCard({ text: 'Is the new binary in cart-7d9c5b6f4-zzzzz expected?' });

  test('is refused with the new card, and accepted afterwards', async () => {
    const now = { ms: Date.now() };
    await rig.stop();
    rig = await startRig({ now: () => now.ms });
    await post(rig);
    await rig.desk.updateQuestion({ card: other });
    now.ms += 1_500;
    await rig.slack.click(remove);
    expect(await until(() => answers()[0])).toContain('cart-7d9c5b6f4-zzzzz expected?');
    expect(rig.refusals).toMatchObject([{ reason: 'just_changed', slackUser: 'U0ADA' }]);
    now.ms += 600;
    await submit(await opened());
    await until(() => rig.clicks[0]);
  });

  test('is accepted when the edit left the decision alone', async () => {
    await post(rig);
    await rig.desk.updateQuestion({
      card: questionCard({ votes: [{ person: 'Grace', choice: 'remove', at: '2026-03-01T14:03:00Z' }] }),
    });
    await opened();
    expect(rig.refusals).toEqual([]);
  });
});

describe('the dialog of any card', () => {
  test('is accepted by Slack, however long the texts are', () => {
    const long = '<!channel> &'.repeat(2_000);
    const [choice] = questionCard().choices;
    if (!choice) throw new Error('no choice');
    for (const destructive of [true, false]) {
      const huge = {
        ...choice,
        label: long,
        destructive,
        target: `pod/shop/${long}`,
        changes: Array.from({ length: 200 }, () => long),
        blastRadius: Array.from({ length: 500 }, (_, index) => `pod/shop/${index}${long}`),
        notes: [long],
      };
      const card = questionCard({ text: long, choices: [huge] });
      const view = decisionView({ card, choice: huge, modalId: 'm_x' });
      expect(viewOf(view).title.text.length).toBeLessThanOrEqual(24);
      expect(JSON.stringify(view)).not.toContain('<!channel>');
    }
  });
});
