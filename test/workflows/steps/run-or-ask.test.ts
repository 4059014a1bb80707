import { describe, expect, test } from '@jest/globals';
import type { Plan } from '../../../core/action/plan.ts';
import { asIfDone } from '../../../workflows/steps/run-or-ask.ts';
import type { RunningIncident } from '../harness.ts';
import { alertOf } from '../people.ts';
import { refuse } from '../scripted.ts';
import { useLab } from '../use-lab.ts';

const { lab, script } = useLab();

const quarantines = (incident: RunningIncident) =>
  lab.seen.applied.filter((call) => call.incident.id === incident.id && call.action === 'quarantinePod');

test('what a cap refuses is put to people, and done with their approval', async () => {
  script.quarantinePod = async (call) => {
    if (!call.approval) refuse('FB_ERR_CAP_REACHED', '2 pods of its owner are already contained');
  };
  const incident = await lab.start([alertOf()]);
  const asked = await incident.question();
  expect(asked.question.text).toBe(
    'Quarantine the pod (cart-1)? It was not done at once: 2 pods of its owner are already contained',
  );
  expect(asked.question.levels[0]).toMatchObject({ page: true });
  expect(quarantines(incident)).toEqual([]);
  await incident.vote('apply', 'ana');
  const state = await incident.until((now) => now.reached === 'contained', 'the containment');
  expect(state.leases).toHaveLength(1);
  expect(quarantines(incident)).toMatchObject([{ approval: { choice: 'apply' } }]);
});

test('what people leave alone is left alone, and the playbook ends with the refusal', async () => {
  script.quarantinePod = async (call) => {
    if (!call.approval) refuse('FB_ERR_ASK_FIRST', 'the alert waited for 20 minutes');
  };
  const incident = await lab.start([alertOf({ doubt: 'the alert waited for 20 minutes' })]);
  await incident.question();
  await incident.vote('leave', 'ana');
  const end = await incident.result();
  expect(end.bodies).toMatchObject([{ state: 'failed', detail: 'the alert waited for 20 minutes' }]);
  expect(quarantines(incident)).toEqual([]);
  expect(end.leases).toEqual([]);
});

test('the doubt of an alert goes to the chokepoint with its steps, and people are told about it', async () => {
  const incident = await lab.start([alertOf({ doubt: 'the node of the pod is unknown' })]);
  const { timeline } = await incident.until((now) => now.timeline.length > 0, 'the opening');
  expect(timeline[0]).toMatchObject({
    kind: 'incident.opened',
    text: expect.stringMatching(/; in doubt: the node of the pod is unknown$/),
  });
  await incident.question();
  await incident.until(() => lab.seen.cards.some((card) => card.incident.id === incident.id), 'the card');
  expect(lab.seen.cards.findLast((card) => card.incident.id === incident.id)?.happened.doubt).toMatch(
    /^the node of the pod is unknown/,
  );
  await incident.until((now) => now.reached === 'contained', 'the containment');
  expect(quarantines(incident)).toMatchObject([{ doubt: 'the node of the pod is unknown' }]);
});

test('what is new about an alert is in the incident and on its card', async () => {
  const text = 'First time in 30 days that sh runs curl in shop/cart.';
  const incident = await lab.start([alertOf({ facts: { novelty: { state: 'novel', amongPeers: true, text } } })]);
  const { timeline } = await incident.until((now) => now.timeline.length > 0, 'the opening');
  expect(timeline[0]?.text).toContain(`. ${text}`);
  await incident.question();
  await incident.until(() => lab.seen.cards.some((card) => card.incident.id === incident.id), 'the card');
  expect(lab.seen.cards.findLast((card) => card.incident.id === incident.id)?.happened.novelty).toBe(text);
});

test('what is refused for another reason is not asked about', async () => {
  script.quarantinePod = async () => refuse('FB_ERR_PROTECTED', 'kube-system is protected');
  const incident = await lab.start([alertOf()]);
  const end = await incident.result();
  expect(end.questions).toEqual([]);
  expect(end.bodies).toMatchObject([{ state: 'failed' }]);
});

test('in observe mode the plan is on record, nothing is done, and nobody is asked', async () => {
  script.quarantinePod = async () =>
    refuse('FB_ERR_OBSERVED', 'nothing was done to pod/shop/cart-1: observe mode for the namespace shop');
  const incident = await lab.start([alertOf()]);
  const end = await incident.result();
  expect(end.questions).toEqual([]);
  expect(end.leases).toEqual([]);
  expect(end.reached).toBe('detected');
  const planned = lab.seen.records.filter(({ kind, chain }) => kind === 'step.planned' && chain.startsWith(incident.id));
  expect(planned).toMatchObject([{ body: { action: 'quarantinePod', plan: { target: { name: 'pod/shop/cart-1' } } } }]);
});

describe('where nothing may be done', () => {
  const observed = () => lab.start([alertOf()], { observed: true, followUp: { tickets: false, pages: false } });
  const recordsOf = ({ id }: RunningIncident) => lab.seen.records.filter(({ chain }) => chain.startsWith(id));

  test('a body goes on as if, nobody is asked or paged, and the record says what would have been', async () => {
    const incident = await observed();
    const end = await incident.result();
    expect(end.questions).toEqual([]);
    expect(quarantines(incident)).toEqual([]);
    expect(end.leases).toEqual([]);
    expect(end.reached).toBe('detected');
    expect(end.bodies.map(({ state }) => state)).not.toContain('failed');
    const records = recordsOf(incident);
    expect(records.filter(({ kind }) => kind === 'step.planned')).toMatchObject([
      { body: { action: 'quarantinePod', text: expect.stringContaining('would have been done') } },
      { body: { action: 'openTicket' } },
    ]);
    expect(records.find(({ kind }) => kind === 'question.withheld')).toMatchObject({
      body: { text: expect.stringMatching(/^in mode contain this would have been asked: /) },
    });
    expect(lab.seen.cards.filter((card) => card.incident.id === incident.id)).toEqual([]);
  });

  test('what only the step could have found out ends the body, and says so', () => {
    const plan = { action: 'quarantinePod', target: { name: 'pod/shop/cart-1' } } as Plan;
    const { output, verification } = asIfDone(plan, 'key');
    expect(verification.state).toBe('unverified');
    expect(JSON.stringify(output)).toBe('{}');
    expect(() => Object(output).policy).toThrow('only quarantinePod of pod/shop/cart-1 could have told “policy”');
  });
});

test('without a ticket system a ticket is skipped, and the playbook that files it still completes', async () => {
  script.openTicket = async () => ({ system: 'none', state: 'skipped' });
  const incident = await lab.start([alertOf({ rule: 'Read sensitive file untrusted', severity: 'high' })]);
  const end = await incident.result();
  expect(end.bodies).toMatchObject([{ playbook: 'firebreak/ticket-sensitive-read', state: 'done' }]);
  expect(end.steps).toMatchObject([
    { action: 'openTicket', state: 'skipped', detail: 'skipped: no ticket system is configured' },
  ]);
  expect(end.tickets).toEqual([]);
  const kinds = end.timeline.map(({ kind }) => kind);
  expect(kinds).toContain('step.unavailable');
  expect(kinds.filter((kind) => kind === 'step.applied' || kind === 'step.failed' || kind === 'playbook.failed')).toEqual([]);
});

test('a step that changes a cluster is never skipped, whatever its pool answers', async () => {
  script['output:quarantinePod'] = async () => ({ state: 'skipped' });
  const incident = await lab.start([alertOf()]);
  const state = await incident.until((now) => now.reached === 'contained', 'the containment');
  expect(state.steps.find(({ action }) => action === 'quarantinePod')?.state).not.toBe('skipped');
  expect(state.timeline.map(({ kind }) => kind)).toContain('step.applied');
});
