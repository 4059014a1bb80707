import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { restraintView } from '../../../../integrations/slack/views/restraint-view.ts';
import { viewOf } from '../../../fakes/slack/methods/view-methods.ts';
import type { FakeView } from '../../../fakes/slack/world.ts';
import { brokenDraft, channel, freezeDraft, type Rig, startRig, until } from '../fixture.ts';

const right = { fb_scope: '0', fb_namespace: 'shop', fb_hours: '4', fb_reason: 'maintenance of the shop' };

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

async function opened(text = 'freeze'): Promise<FakeView> {
  await rig.slack.command({ user: 'U0ADA', channel, command: '/firebreak', text });
  const view = await until(() => rig.slack.world.openView('U0ADA'));
  await until(() => [...rig.cards.modals.values()].find(({ viewId }) => viewId === view.id));
  return view;
}

const submit = ({ id: viewId }: FakeView, typed: Readonly<Record<string, string>> = right, user = 'U0ADA') =>
  rig.slack.submitView({ viewId, user, typed });

describe('the dialog that proposes a freeze', () => {
  test('is accepted by Slack for each mode, and says what it does and who must agree', async () => {
    const shown = (mode: 'freeze' | 'observe') =>
      JSON.stringify(viewOf(restraintView({ draft: { ...freezeDraft, mode }, modalId: 'm_x' })).blocks);
    expect(shown('freeze')).toMatch(/weakens the response.*becomes a question to people.*somebody else agrees/);
    expect(shown('observe')).toMatch(/is only recorded as a plan.*two other people agree/);
  });

  const scopes: readonly (readonly [string, Readonly<Record<string, string>>, object])[] = [
    ['of a namespace', {}, { kind: 'namespace', name: 'shop' }],
    ['of the cluster', { fb_scope: '1', fb_namespace: '' }, { kind: 'cluster' }],
    ['of a playbook', { fb_scope: '2', fb_namespace: '' }, { kind: 'playbook', name: 'firebreak/ask-about-shell' }],
  ];
  test.each(scopes)('%s reaches the service, and its answer the sender', async (_what, typed, scope) => {
    const before = Date.now();
    const { result } = await submit(await opened(), { ...right, ...typed });
    expect(result).toEqual({ outcome: 'closed' });
    await until(() => rig.slack.ephemerals('U0ADA').find(({ text }) => text === 'Proposed.'));
    expect(rig.restraints).toMatchObject([{ slackUser: 'U0ADA', scope, reason: right.fb_reason, draft: { mode: 'freeze' } }]);
    expect(rig.restraints[0]?.until).toBeGreaterThanOrEqual(before + 4 * 3_600_000);
  });

  const wrong: readonly (readonly [string, Readonly<Record<string, string>>, string])[] = [
    ['no namespace', { fb_namespace: '' }, 'fb_namespace'],
    ['an invalid namespace', { fb_namespace: 'Shop!' }, 'fb_namespace'],
    ['a namespace, and the whole cluster chosen', { fb_scope: '1' }, 'fb_namespace'],
    ['a blank reason', { fb_reason: '    ' }, 'fb_reason'],
    ['a scope that was not offered', { fb_scope: '9' }, 'fb_scope'],
    ['hours that were not offered', { fb_hours: '9999' }, 'fb_hours'],
  ];
  test.each(wrong)('with %s stays open, and says so', async (_what, typed, block) => {
    const { result } = await submit(await opened(), { ...right, ...typed });
    expect(result).toMatchObject({ outcome: 'errors', errors: { [block]: expect.any(String) } });
    expect(rig.restraints).toEqual([]);
  });

  test('is accepted only from its opener', async () => {
    await submit(await opened(), right, 'U0GRACE');
    expect(rig.refusals).toMatchObject([{ reason: 'not_opener' }]);
    expect(rig.restraints).toEqual([]);
  });

  test('is accepted once', async () => {
    const { request } = await submit(await opened());
    const again = JSON.parse(new URLSearchParams(request.body).get('payload') ?? '{}');
    await rig.slack.deliver({ ...again, trigger_id: 'another' });
    expect(await until(() => rig.refusals[0])).toMatchObject({ reason: 'spent_dialog' });
    expect(rig.restraints).toHaveLength(1);
  });

  test('passes on no secret', async () => {
    await submit(await opened(), { ...right, fb_reason: 'password=hunter2-and-more' });
    await until(() => rig.restraints[0]);
    expect(rig.restraints[0]?.reason).not.toContain('hunter2');
  });
});

describe('the dialog that proposes to break the glass', () => {
  const given = { fb_scope: '0', fb_incident: 'shop/Deployment/cart', fb_hours: '1', fb_reason: 'it spreads' };

  test('is accepted by Slack, says what it lifts and who must agree, and has the incident that was typed', () => {
    const { blocks } = viewOf(restraintView({ draft: brokenDraft, modalId: 'm_x' }));
    const shown = JSON.stringify(blocks);
    expect(shown).toMatch(
      /lifts guardrails.*caps, freezes and change windows do not apply.*somebody else agrees.*everybody is told/,
    );
    expect(shown).toContain('"initial_value":"shop/Deployment/cart"');
    expect(shown).not.toContain('The whole cluster');
    expect(shown).not.toContain('30 days');
  });

  const incident = { kind: 'incident', name: 'incident/prod-1/shop/Deployment/cart' };
  const scopes: readonly (readonly [string, Readonly<Record<string, string>>, object])[] = [
    ['of one incident, in short', {}, incident],
    ['of one incident, written out', { fb_incident: incident.name }, incident],
    ['of a node’s incident', { fb_incident: 'node/worker-1' }, { kind: 'incident', name: 'incident/prod-1/node/worker-1' }],
    ['of one namespace', { fb_scope: '1', fb_incident: '', fb_namespace: 'shop' }, { kind: 'namespace', name: 'shop' }],
  ];
  test.each(scopes)('%s reaches the service', async (_what, typed, scope) => {
    const before = Date.now();
    const { result } = await submit(await opened('break-glass shop/Deployment/cart'), { ...given, ...typed });
    expect(result).toEqual({ outcome: 'closed' });
    await until(() => rig.restraints[0]);
    expect(rig.restraints).toMatchObject([{ slackUser: 'U0ADA', scope, reason: 'it spreads', draft: { mode: 'break-glass' } }]);
    expect(rig.restraints[0]?.until).toBeLessThanOrEqual(Date.now() + 3_600_000);
    expect(rig.restraints[0]?.until).toBeGreaterThanOrEqual(before + 3_600_000);
  });

  const wrong: readonly (readonly [string, Readonly<Record<string, string>>, string])[] = [
    ['no incident', { fb_incident: '' }, 'fb_incident'],
    ['something that is not an incident', { fb_incident: 'cart' }, 'fb_incident'],
    ['another cluster’s incident', { fb_incident: 'incident/other/shop/Deployment/cart' }, 'fb_incident'],
    ['both named', { fb_namespace: 'shop' }, 'fb_namespace'],
    ['both named, and the namespace chosen', { fb_scope: '1', fb_namespace: 'shop' }, 'fb_incident'],
    ['more than a day', { fb_hours: '72' }, 'fb_hours'],
    ['a wider scope', { fb_scope: '2' }, 'fb_scope'],
  ];
  test.each(wrong)('with %s stays open, and says so', async (_what, typed, block) => {
    const { result } = await submit(await opened('break-glass shop/Deployment/cart'), { ...given, ...typed });
    expect(result).toMatchObject({ outcome: 'errors', errors: { [block]: expect.any(String) } });
    expect(rig.restraints).toEqual([]);
  });
});
