import { describe, expect, test } from '@jest/globals';
import { sayingPlaybooks } from '../../playbooks/saying-playbooks.ts';
import type { RunningIncident } from '../harness.ts';
import { alertOf, batchOf } from '../people.ts';
import { refuse } from '../scripted.ts';
import { useLab } from '../use-lab.ts';
import { recordsIn } from '../voting.ts';

const { lab, script } = useLab({ playbooks: sayingPlaybooks });

const process = (name: string, title: string) => alertOf({ rule: 'Process', severity: 'medium', process: { name }, title });

/** The records of one incident, in order. */
const recordsOf = ({ id }: RunningIncident) =>
  lab.seen.records
    .filter(({ chain }) => chain.startsWith(`${id}@`))
    .map(({ kind, body }) => `${kind}: ${String(body.text)}`)
    .filter((line) => line.startsWith('playbook.'));

/** The line that its playbook has logged. */
const lineOf = ({ id }: RunningIncident) => lab.lines.find(({ meta }) => meta.workflowId === id);

describe('a body that skips an alert', () => {
  test('uses nothing up: a later alert of the same pod runs it again', async () => {
    const incident = await lab.start([process('ls', 'a')], { playbooks: ['only-for-shells'], lingerMs: 600_000 });
    await incident.until(({ bodies }) => bodies[0]?.state === 'skipped', 'the skip');
    await incident.alerts(batchOf([process('cat', 'b')]));
    await incident.until(({ bodies }) => bodies[0]?.skips === 2, 'the second skip');
    await incident.alerts(batchOf([process('sh', 'c')]));
    const { bodies, leases } = await incident.until(({ bodies }) => bodies[0]?.state === 'done', 'the end of the body');
    expect(bodies).toHaveLength(1);
    expect(leases).toMatchObject([{ action: 'quarantinePod' }]);
    await incident.result();
    expect(recordsOf(incident)).toEqual([
      'playbook.started: Contains shells',
      'playbook.skipped: skipped: it is no shell',
      'playbook.started: Contains shells',
      'playbook.done: done',
    ]);
  });

  test('may no longer do so once it has acted, and people are told what to write', async () => {
    const incident = await lab.start([alertOf({ rule: 'Late' })], { playbooks: ['skips-too-late'] });
    const { bodies } = await incident.until(({ bodies }) => bodies[0]?.state === 'failed', 'the end of the body');
    expect(bodies[0]?.detail).toContain(
      'a body that has acted (quarantinePod on pod/shop/cart-1) cannot be skipped: return instead',
    );
  });

  test('does nothing afterwards, even if it catches its own end', async () => {
    const incident = await lab.start([alertOf({ rule: 'Deaf' })], { playbooks: ['goes-on-after-skip'] });
    const { bodies, steps } = await incident.result();
    expect(bodies).toMatchObject([{ state: 'skipped', detail: 'not for me' }]);
    expect(steps).toEqual([]);
  });
});

describe('what a body sees', () => {
  test('is the incident as it is when it looks, and its parameters as configured', async () => {
    const params = { 'tells-what-it-knows': { lease: '30m', times: 99 } };
    const incident = await lab.start([alertOf({ rule: 'Tell', severity: 'high' })], {
      playbooks: ['tells-what-it-knows'],
      params,
    });
    const { timeline, leases } = await incident.result();
    const told = timeline.find(({ kind }) => kind === 'playbook.note')?.text ?? '{}';
    expect(JSON.parse(told)).toEqual({
      cluster: 'lab',
      severity: 'high',
      reached: 'contained',
      rules: ['Tell'],
      inForce: [{ action: 'quarantinePod', target: 'pod/shop/cart-1' }],
      // 99 is out of bounds: nothing has checked that the value came from the configuration, so it is not accepted.
      params: { lease: '30m', times: 2, who: 'oncall' },
    });
    expect(leases).toMatchObject([{ durationMs: 1_800_000 }]);
    const line = lineOf(incident);
    expect(line).toMatchObject({
      message: 'looked',
      meta: { firebreakPlaybook: { playbook: 'tells-what-it-knows', subject: 'pod:uid-1', fields: { rule: 'Tell', times: 2 } } },
    });
    expect(JSON.stringify(line?.meta.firebreakPlaybook)).not.toContain('hunter2hunter2');
  });
});

describe('a question with a form', () => {
  const answers = { hours: 4, who: ['ana'] };

  test('gives the body what people filled in, and nothing that they did not', async () => {
    const incident = await lab.start([alertOf({ rule: 'Hours', severity: 'high' })], { playbooks: ['asks-for-hours'] });
    await incident.vote('extend', 'ana', { answers: { hours: 400, who: ['ana'] } });
    await incident.vote('extend', 'ana');
    await incident.until(({ timeline }) => timeline.filter(({ kind }) => kind === 'vote.refused').length === 2, 'two refusals');
    await incident.vote('extend', 'ana', { answers });
    const { timeline, questions } = await incident.result();
    expect(timeline.filter(({ kind }) => kind === 'playbook.note').map(({ text }) => text)).toEqual(['5 hours, ana']);
    expect(questions[0]?.status).toMatchObject({ state: 'decided', answers });
    const record = lab.seen.records.find(({ kind, chain }) => kind === 'vote.accepted' && chain.startsWith(incident.id));
    expect(record?.body).toMatchObject({ vote: { answers }, text: 'Ana: Longer (hours 4, who ana): not ours' });
    const card = lab.seen.cards.findLast((one) => one.incident.id === incident.id);
    expect(card?.choices[0]?.form?.who).toMatchObject({ people: [{ id: 'ana' }, { id: 'ben' }] });
    expect(card?.votes).toMatchObject([{ person: 'ana', answers }]);
  });

  test('that nobody could fill in is not asked', async () => {
    const incident = await lab.start([alertOf({ rule: 'Impossible' })], { playbooks: ['asks-the-impossible'] });
    const { bodies, questions } = await incident.result();
    expect(questions).toEqual([]);
    expect(bodies[0]?.detail).toContain('nobody could answer: hours accepts no number');
  });
});

describe('a body that does not await what it has started', () => {
  test('is waited for, step by step, and what it forgot is reported', async () => {
    const incident = await lab.start([alertOf({ rule: 'Forget', severity: 'high' })], { playbooks: ['forgets-to-wait'] });
    const { bodies, steps } = await incident.result();
    expect(bodies).toMatchObject([{ state: 'done' }]);
    expect(steps.map(({ action }) => action)).toEqual(['snapshotPodState', 'quarantinePod']);
    expect(recordsOf(incident)).toEqual([
      'playbook.started: Forgets await',
      expect.stringMatching(
        /^playbook.unsettled: waited for, although the playbook does not await it: snapshotPodState on pod.shop.cart-1. Write await before it, or settle$/,
      ),
      'playbook.done: done',
    ]);
    const [unsettled] = recordsIn(lab, incident, 'playbook.unsettled');
    expect(unsettled).toMatchObject({
      actor: 'playbook/forgets-to-wait',
      body: { unsettled: [expect.stringContaining('snapshotPodState on pod/shop/cart-1')] },
    });
  });

  test('goes on if that fails', async () => {
    script.snapshotPodState = () => refuse('FB_ERR_REFUSED', 'no');
    const incident = await lab.start([alertOf({ rule: 'Forget it' })], { playbooks: ['forgets-what-fails'] });
    const { bodies, steps } = await incident.result();
    expect(bodies).toMatchObject([{ state: 'done' }]);
    expect(steps).toMatchObject([{ action: 'snapshotPodState', state: 'failed' }]);
  });
});

describe('a playbook that calls an incident harmless on its own', () => {
  test.each([
    ['knows-better', 'Guess'],
    ['hears-wrong', 'Deaf'],
  ])('%s is refused, on record, and goes on', async (id, rule) => {
    const incident = await lab.start([alertOf({ rule })], { playbooks: [id] });
    if (id === 'hears-wrong') await incident.vote('unexpected', 'ada');
    const { verdict, bodies } = await incident.result();
    expect(verdict).toBe('unknown');
    expect(bodies).toMatchObject([{ playbook: id, state: 'done' }]);
    const kinds = lab.seen.records.filter(({ chain }) => chain.startsWith(`${incident.id}@`)).map(({ kind }) => kind);
    expect(kinds).toContain('verdict.refused');
    expect(kinds).not.toContain('incident.verdict');
  });
});
