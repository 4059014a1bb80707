import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { suppressionView } from '../../../../integrations/slack/views/suppression-view.ts';
import type { Forgery } from '../../../fakes/slack/index.ts';
import { viewOf } from '../../../fakes/slack/methods/view-methods.ts';
import type { FakeView } from '../../../fakes/slack/world.ts';
import { channel, draft, post, type Rig, startRig, until } from '../fixture.ts';

const dayMs = 86_400_000;
const entry = 'False alarm: suppress …';
const dayIn = (days: number) => new Date(Date.now() + days * dayMs).toISOString().slice(0, 10);
const right = { fb_kind: '0', fb_up_to: 'medium', fb_until: dayIn(7), fb_reason: 'our own debug pod' };

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

/** Once the desk knows the id under which Slack shows it. */
async function opened(user = 'U0ADA'): Promise<FakeView> {
  const view = await until(() => rig.slack.world.openView(user));
  await until(() => [...rig.cards.modals.values()].find(({ viewId }) => viewId === view.id));
  return view;
}

async function openedOnCard(): Promise<FakeView> {
  await post(rig);
  await rig.slack.click({ user: 'U0ADA', optionText: entry, dialog: 'leave' });
  return opened();
}

async function openedByCommand(): Promise<FakeView> {
  await rig.slack.command({ user: 'U0ADA', channel, command: '/firebreak', text: 'suppress cart' });
  return opened();
}

const submit = (view: FakeView, typed: Readonly<Record<string, string>> = right, user = 'U0ADA', forge: Forgery = {}) =>
  rig.slack.submitView({ viewId: view.id, user, typed, forge });

const answers = (user = 'U0ADA') => rig.slack.ephemerals(user).map(({ text }) => text);

describe('the dialog that proposes a suppression', () => {
  test('shows what could be hidden and what not, with the rule of its card chosen, and carries one opaque id', async () => {
    const { view } = await openedOnCard();
    const shown = JSON.stringify(view.blocks);
    for (const text of ['deployment/shop/cart', 'sha256:dddd', 'Ada Lovelace is responsible for it', 'its pod was only guessed'])
      expect(shown).toContain(text);
    const chosen = view.blocks.flatMap((block) =>
      block.type === 'input' && block.element.type === 'static_select' ? block.element.initial_option?.value : [],
    );
    expect(chosen).toEqual(['1', 'high']);
    expect(view.private_metadata).toMatch(/^m_[\w-]{24}$/);
    expect(rig.proposals).toEqual([]);
  });

  test('does not ask which when there is only one kind', async () => {
    const view = suppressionView({
      draft: { ...draft, kinds: draft.kinds.slice(0, 1), not: [] },
      modalId: 'm_x',
      now: Date.now(),
    });
    expect(viewOf(view).blocks.flatMap((block) => (block.type === 'input' ? block.block_id : []))).toEqual([
      'fb_up_to',
      'fb_until',
      'fb_reason',
    ]);
  });

  test.each([
    ['from a card', openedOnCard],
    ['by a command', openedByCommand],
  ])('opened %s proposes what was chosen, and tells only its opener the outcome', async (_how, open) => {
    const view = await open();
    const sent = await submit(view, { ...right, fb_reason: 'ours, password=hunter2hunter2' });
    expect(sent).toMatchObject({ status: 200, body: '', result: { outcome: 'closed' } });
    expect(await until(() => answers()[0])).toBe('Proposed.');
    const [proposal] = rig.proposals;
    expect(proposal).toMatchObject({
      slackUser: 'U0ADA',
      kind: draft.kinds[0],
      upTo: 'medium',
      until: Date.parse(`${right.fb_until}T00:00:00Z`) + dayMs,
      draft,
    });
    expect(proposal?.reason).not.toContain('hunter2');
    expect(rig.clicks).toEqual([]);
    expect(answers('U0GRACE')).toEqual([]);
  });

  test('ends 30 days from now at the latest', async () => {
    const view = await openedByCommand();
    await submit(view, { ...right, fb_until: dayIn(30) });
    const { until: end } = await until(() => rig.proposals[0]);
    expect(end).toBeLessThanOrEqual(Date.now() + 30 * dayMs);
    expect(end).toBeGreaterThan(Date.now() + 30 * dayMs - 60_000);
  });

  test.each([
    ['more than 30 days', { fb_until: dayIn(31) }, 'fb_until'],
    ['a past date', { fb_until: dayIn(-1) }, 'fb_until'],
    ['something that is not a date', { fb_until: 'for ever' }, 'fb_until'],
    ['a severity below that of the alerts', { fb_kind: '1' }, 'fb_up_to'],
    ['a reason of blanks', { fb_reason: '     ' }, 'fb_reason'],
  ])('says what is wrong with %s, stays open, and is accepted once it is right', async (_what, over, wrong) => {
    const view = await openedByCommand();
    const { result } = await submit(view, { ...right, ...over });
    expect(result).toMatchObject({ outcome: 'errors' });
    expect(Object.keys('errors' in result ? result.errors : {})).toEqual([wrong]);
    expect(rig.proposals).toEqual([]);
    await submit(view);
    await until(() => rig.proposals[0]);
  });

  test('accepts nothing from Slack but a choice that it has offered', async () => {
    const view = await openedByCommand();
    const forged = {
      ...view.view,
      blocks: view.view.blocks.map((block) =>
        block.type === 'input' && block.element.type === 'static_select' && block.block_id === 'fb_kind'
          ? {
              ...block,
              element: { ...block.element, options: [{ text: { type: 'plain_text' as const, text: 'x' }, value: '7' }] },
            }
          : block,
      ),
    };
    rig.slack.world.views.set(view.id, { ...view, view: forged });
    expect((await submit(view, { ...right, fb_kind: '7' })).result).toMatchObject({ outcome: 'errors' });
    expect(rig.proposals).toEqual([]);
  });

  test('is accepted by Slack, however long the texts are', () => {
    const long = '<!channel> &'.repeat(500);
    const kinds = Array.from({ length: 20 }, () => ({
      match: { rule: long, namespace: long, workload: { kind: long, name: long }, image: { digest: long }, sensor: long },
      severity: 'unknown' as const,
    }));
    const not = Array.from({ length: 20 }, () => ({ rule: long, why: long }));
    const huge = { ...draft, kinds, not, owner: long, incident: { ...draft.incident, title: long, cluster: long } };
    const view = suppressionView({ draft: huge, modalId: 'm_x', now: Date.now(), rule: long });
    expect(viewOf(view).blocks.length).toBeGreaterThan(5);
    expect(JSON.stringify(view)).not.toContain('<!channel>');
  });
});

describe('is refused, answered and recorded', () => {
  const forged: readonly (readonly [string, Forgery, string])[] = [
    ['for another app', { appId: 'A0OTHER' }, 'wrong_app'],
    ['from another workspace', { teamId: 'T0OTHER' }, 'wrong_team'],
    ['with an id that was never issued', { privateMetadata: 'm_invented' }, 'unknown_dialog'],
    ['with the id of another view', { viewId: 'V99999999' }, 'unknown_dialog'],
  ];
  test.each(forged)('%s', async (_name, forge, reason) => {
    const view = await openedByCommand();
    const { result } = await submit(view, right, 'U0ADA', forge);
    expect(result).toEqual({ outcome: 'updated' });
    expect(await until(() => rig.refusals[0])).toMatchObject({ reason });
    expect(rig.proposals).toEqual([]);
  });

  test('by someone other than its opener', async () => {
    const view = await openedByCommand();
    await submit(view, right, 'U0GRACE');
    expect(await until(() => answers('U0GRACE')[0])).toContain('Somebody else opened this dialog');
    expect(rig.refusals).toMatchObject([{ reason: 'not_opener', slackUser: 'U0GRACE' }]);
    expect(rig.proposals).toEqual([]);
  });

  test('by a guest, who cannot open one', async () => {
    await rig.slack.command({ user: 'U0GUEST', channel, command: '/firebreak', text: 'suppress cart' });
    expect(await until(() => rig.refusals[0])).toMatchObject({ reason: 'guest' });
    expect(rig.cards.modals.size).toBe(0);
  });

  test('after an hour, and when its card has been replaced', async () => {
    const view = await openedOnCard();
    const [modal] = rig.cards.modals.values();
    if (!modal) throw new Error('no dialog was remembered');
    rig.cards.modals.set(modal.modalId, { ...modal, openedAt: Date.now() - 3_700_000 });
    await submit(view);
    await until(() => rig.refusals[0]);
    rig.slack.world.views.set(view.id, view);
    rig.cards.modals.set(modal.modalId, modal);
    rig.cards.messages.set('question-1', { channel, ts: '1999999999.000100' });
    await submit(view);
    await until(() => rig.refusals[1]);
    expect(rig.refusals).toMatchObject([{ reason: 'old_dialog' }, { reason: 'stale_card' }]);
    expect(rig.proposals).toEqual([]);
  });

  test('submitted again, as the same bytes or in a new request', async () => {
    const view = await openedByCommand();
    const { request } = await submit(view);
    await until(() => rig.proposals[0]);
    expect((await rig.slack.resend(request)).status).toBe(401);
    rig.slack.world.views.set(view.id, view);
    await submit(view);
    await until(() => rig.refusals[1]);
    expect(rig.refusals).toMatchObject([{ reason: 'replayed' }, { reason: 'spent_dialog' }]);
    expect(rig.proposals).toHaveLength(1);
  });
});
