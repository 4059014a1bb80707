import { describe, expect, test } from '@jest/globals';
import { longPlaybooks } from '../../playbooks/long-playbooks.ts';
import type { RunningIncident } from '../harness.ts';
import { alertOf } from '../people.ts';
import { refuse } from '../scripted.ts';
import { useLab } from '../use-lab.ts';

const { lab, script } = useLab({ playbooks: longPlaybooks });

const notes = async (incident: RunningIncident) =>
  (await incident.state()).timeline.filter(({ kind }) => kind === 'playbook.note').map(({ text }) => text);
const undone = ({ id }: RunningIncident) =>
  lab.seen.undone.flatMap(({ action, incident }, at) =>
    incident.id === id ? [`${action}: ${lab.seen.undoReasons[at]?.kind}`] : [],
  );

test('a suspended workload is checked later just like a quarantine, each on record and in one line of the thread', async () => {
  const looked: string[] = [];
  script.lookAtEffect = ({ key }) => {
    looked.push(key);
    return {
      outcome: 'no-alerts',
      at: '2026-11-24T22:00:00.000Z',
      since: '2026-11-24T21:50:00.000Z',
      alerts: { counts: {} },
      problems: [],
      unknown: [],
    };
  };
  const minute = 60_000;
  const incident = await lab.start([alertOf({ rule: 'Whole', severity: 'high' })], {
    playbooks: ['all-or-nothing'],
    effectChecksMs: [10 * minute, 60 * minute],
  });
  await incident.until(({ leases }) => leases.length === 2, 'both');
  await lab.env.sleep('61m');
  const checked = () => lab.seen.records.filter(({ kind, chain }) => kind === 'effect.checked' && chain.startsWith(incident.id));
  await lab.eventually('the records of all looks', async () => checked().length === 4);
  expect(
    checked()
      .map(({ body }) => `${body.action} ${body.afterMs}`)
      .sort(),
  ).toEqual(
    ['quarantinePod', 'suspendCronJob'].flatMap((action) => [`${action} ${10 * minute}`, `${action} ${60 * minute}`]).sort(),
  );
  expect(new Set(looked).size).toBe(2);
  await lab.eventually('the line', async () =>
    lab.seen.threads.some((text) => /10 minutes after \S+ was suspended: No alert has come from it since\./.test(text)),
  );
});

describe('a saga', () => {
  const fails = () => {
    script.snapshotPodState = () => refuse('FB_ERR_REFUSED', 'no such pod');
  };

  test('is undone in reverse order, on record, if a later part fails and its envelope and the severity allow it', async () => {
    fails();
    const incident = await lab.start([alertOf({ rule: 'Whole', severity: 'high' })], { playbooks: ['all-or-nothing'] });
    const { leases, timeline } = await incident.result();
    expect(leases.map(({ action, state }) => `${action}: ${state}`)).toEqual([
      'quarantinePod: released',
      'suspendCronJob: released',
    ]);
    expect(undone(incident)).toEqual(['suspendCronJob: saga-failed', 'quarantinePod: saga-failed']);
    expect(timeline.find(({ kind }) => kind === 'saga.failed')?.text).toBe(
      'no such pod: what was done before is undone now: none suspended, then cart-1 quarantined',
    );
    expect(await notes(incident)).toEqual(['given back: StepFailure: no such pod']);
    // The cell sees on the object that it was taken like this.
    const [quarantine] = lab.seen.applied.filter((call) => call.incident.id === incident.id);
    expect(quarantine?.lease).toEqual({ durationMs: 14_400_000, onExpiry: 'renew', saga: true });
  });

  test('that fails on critical is asked about at once, in one question, and silence leaves it in force', async () => {
    fails();
    const incident = await lab.start([alertOf({ rule: 'Whole' })], { playbooks: ['all-or-nothing'] });
    const { question } = await incident.question();
    expect(question.choices.map(({ id, quorum, plans }) => [id, quorum, plans.map(({ action }) => action)])).toEqual([
      ['undo', 2, ['undo:suspendCronJob', 'undo:quarantinePod']],
      ['leave', 1, []],
    ]);
    // Nothing is undone when this is reported, nor afterwards.
    expect((await incident.state()).timeline.find(({ kind }) => kind === 'saga.failed')?.text).toBe(
      'no such pod: people are asked whether to undo what was done before: none suspended, then cart-1 quarantined',
    );
    await lab.env.sleep('2h');
    await incident.until(({ bodies }) => bodies[0]?.state === 'done', 'the end of the body');
    expect((await incident.state()).leases.map(({ state }) => state)).toEqual(['active', 'active']);
    expect(undone(incident)).toEqual([]);
  });

  test('that fails is asked about unless its envelope says otherwise', async () => {
    fails();
    const incident = await lab.start([alertOf({ rule: 'Ask back', severity: 'high' })], { playbooks: ['asks-to-give-back'] });
    await incident.vote('undo', 'ana');
    const { bodies, leases } = await incident.result();
    expect(leases).toMatchObject([{ state: 'released' }]);
    expect(undone(incident)).toEqual(['quarantinePod: approved']);
    expect(bodies).toMatchObject([{ state: 'failed' }]);
  });

  test('that fails is asked about if the cell refuses to undo it', async () => {
    fails();
    script['undo:quarantinePod'] = (_, attempt) =>
      attempt === 1 ? refuse('FB_ERR_APPROVAL_INVALID', 'was no part of a saga') : undefined;
    const incident = await lab.start([alertOf({ rule: 'Whole', severity: 'high' })], { playbooks: ['all-or-nothing'] });
    const { question } = await incident.question();
    expect(question.choices[0]?.plans.map(({ action }) => action)).toEqual(['undo:quarantinePod']);
    await incident.vote('undo', 'ana');
    await incident.result();
    expect(undone(incident)).toEqual(['suspendCronJob: saga-failed', 'quarantinePod: approved']);
  });

  test('that does not fail is left as it is', async () => {
    const incident = await lab.start([alertOf({ rule: 'Whole', severity: 'high' })], { playbooks: ['all-or-nothing'] });
    await incident.until(({ bodies }) => bodies[0]?.state === 'done', 'the end of the body');
    expect(await notes(incident)).toEqual(['whole']);
    expect(undone(incident)).toEqual([]);
  });
});

describe('a body that sleeps', () => {
  test('sleeps for days, keeps its incident open, and adds one timer to its history', async () => {
    const incident = await lab.start([alertOf({ rule: 'Sleep' })], { playbooks: ['sleeps-long'] });
    const asleep = await incident.until(({ bodies }) => bodies[0]?.asleepUntil !== undefined, 'its sleep');
    const events = lab.run(incident).historyLength;
    await lab.env.sleep('2d');
    expect(await incident.state()).toMatchObject({ open: true, bodies: [{ state: 'running' }] });
    expect(lab.run(incident).historyLength).toBeLessThan(events + 15);
    await lab.env.sleep('25h');
    const end = await incident.result();
    expect(end.bodies[0]).toMatchObject({ state: 'done' });
    expect(end.bodies[0]?.asleepUntil).toBeUndefined();
    expect(await notes(incident)).toEqual(['slept: whole']);
    expect(Date.parse(asleep.bodies[0]?.asleepUntil ?? '') - Date.parse(end.openedAt)).toBeGreaterThanOrEqual(3 * 86_400_000);
  });

  test('takes no slot away from others', async () => {
    const sleepers = [1, 2].map((n) => alertOf({ rule: 'Sleep', n }));
    const incident = await lab.start([...sleepers, alertOf({ rule: 'Often', n: 3 })], {
      playbooks: ['sleeps-long', 'looks-often'],
      maxBodies: 1,
    });
    await incident.until(
      ({ bodies }) => bodies.filter(({ asleepUntil }) => asleepUntil !== undefined).length === 3,
      'three bodies that sleep',
    );
  });

  test('is stopped if it wants to sleep for longer than a month', async () => {
    const incident = await lab.start([alertOf({ rule: 'Too long' })], { playbooks: ['sleeps-too-long'] });
    const { bodies } = await incident.result();
    expect(bodies[0]?.detail).toContain('a body can sleep for at most 30d, not 31d: use a schedule');
  });

  test('can do something every ten minutes, until it is enough', async () => {
    const incident = await lab.start([alertOf({ rule: 'Often' })], { playbooks: ['looks-often'] });
    await lab.env.sleep('25m');
    const { steps } = await incident.result();
    expect(steps).toHaveLength(3);
    expect(await notes(incident)).toEqual(['looked 3 times']);
  });
});

describe('a body that calls another playbook', () => {
  test('waits for its end, in a body of its own, and joins what has been done', async () => {
    const incident = await lab.start([alertOf({ rule: 'Call' })], { playbooks: ['calls-another', 'looks-often'], maxBodies: 1 });
    await lab.env.sleep('25m');
    const { bodies, verdict } = await incident.result();
    expect(bodies.map(({ playbook, state }) => [playbook, state])).toEqual([
      ['calls-another', 'done'],
      ['looks-often', 'done'],
    ]);
    expect(await notes(incident)).toEqual(['looked 3 times', 'done, done']);
    expect(verdict).toBe('suspicious');
  });

  test('may not call one that is not enabled', async () => {
    const incident = await lab.start([alertOf({ rule: 'Call' })], { playbooks: ['calls-another'] });
    const { bodies } = await incident.result();
    expect(bodies[0]?.detail).toContain('playbook looks-often is not enabled');
  });

  test('may not call one that waits for it', async () => {
    const incident = await lab.start([alertOf({ rule: 'Circle' })], { playbooks: ['calls-its-caller', 'calls-back'] });
    const { bodies } = await incident.result();
    expect(bodies.map(({ playbook, state }) => [playbook, state])).toEqual([
      ['calls-its-caller', 'done'],
      ['calls-back', 'failed'],
    ]);
    expect(bodies[1]?.detail).toContain('playbook calls-its-caller waits for the one that calls it');
  });
});
