import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { alertsIn, vouchedFor } from '../../../core/audit/alert-archive.ts';
import { type Lab, refuse, type Script, startLab } from '../harness.ts';
import { alertOf, batchOf } from '../people.ts';

describe('an incident about a dropped binary', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab();
  });
  afterAll(() => lab.stop());

  test('contains at once, keeps evidence, asks, and on “remove” rotates and deletes, once each', async () => {
    const incident = await lab.start([alertOf()]);
    const asked = await incident.question();
    expect(asked.question.choices.map((choice) => [choice.id, choice.quorum])).toEqual([
      ['release', 2],
      ['remove', 1],
    ]);
    await incident.vote('remove', 'ana');
    const end = await incident.result();
    const mine = lab.seen.applied.filter((call) => call.incident.id === incident.id).map((call) => call.action);
    expect(mine.indexOf('quarantinePod')).toBeLessThan(mine.indexOf('openTicket'));
    expect([...mine].sort()).toEqual(['deletePod', 'openTicket', 'quarantinePod', 'rotateSecret', 'snapshotPodState']);
    expect(mine.indexOf('snapshotPodState')).toBeLessThan(mine.indexOf('deletePod'));
    expect(end).toMatchObject({ verdict: 'true_positive', reached: 'eradicated', open: false });
    expect(end.leases).toMatchObject([{ state: 'released', detail: 'the target is gone' }]);
    expect(end.audit.acknowledged).toBe(end.audit.made);
    const records = lab.seen.records.filter((record) => record.chain.startsWith(`${incident.id}@`));
    const numbers = records.map((record) => record.number);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    // The alert goes to the desk as it was, beside the first record, which vouches for it and does not hold it.
    expect(records.flatMap((one) => (one.kept === undefined ? [] : [one.number]))).toEqual([1]);
    const whole = records.flatMap(({ kept, body }) => (kept === undefined ? [] : (vouchedFor(kept, { body }) ?? [])));
    expect(whole.flatMap(alertsIn)).toMatchObject([{ rule: alertOf().rule, pod: { uid: 'uid-1' } }]);
  });

  test('a release takes two people, and gives the pod back under their approval', async () => {
    const incident = await lab.start([alertOf()]);
    await incident.vote('release', 'ana');
    await incident.until((state) => state.questions.some((asked) => asked.votes.length === 1), 'the first vote');
    expect((await incident.question()).status.state).toBe('open');
    await incident.vote('release', 'ben');
    const end = await incident.result();
    expect(end.verdict).toBe('benign');
    expect(lab.seen.undone.filter((call) => call.incident.id === incident.id)).toHaveLength(1);
    expect(end.leases).toMatchObject([{ state: 'released' }]);
  });

  test('a batch that is delivered twice counts once, and a second alert of the pod runs nothing again', async () => {
    const incident = await lab.start([alertOf()]);
    await incident.question();
    const more = batchOf([alertOf({ title: 'again' })]);
    await incident.alerts(more);
    await incident.alerts(more);
    const state = await incident.until((now) => now.total === 2, 'two alerts');
    expect(state.bodies).toHaveLength(1);
    expect(state.bodies[0]?.alerts).toBe(2);
    await incident.vote('remove', 'ana');
    await incident.result();
    expect(lab.seen.applied.filter((call) => call.incident.id === incident.id && call.action === 'quarantinePod')).toHaveLength(
      1,
    );
  });

  test('another pod of the workload gets a body of its own in the same incident', async () => {
    const incident = await lab.start([alertOf({ n: 1 }), alertOf({ n: 2 })]);
    const state = await incident.until((now) => now.leases.length === 2, 'two leases');
    expect(state.bodies.map((body) => body.subjectKey).sort()).toEqual(['pod:uid-1', 'pod:uid-2']);
  });
});

describe('volatile evidence', () => {
  const script: Script = {};
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab(script);
  });
  afterAll(() => lab.stop());
  const kept = ({ id }: { readonly id: string }): boolean =>
    lab.seen.applied.some(({ incident, action }) => incident.id === id && action === 'snapshotPodState');

  test('is kept while the pod is still being contained', async () => {
    const { promise: keptFirst, resolve } = Promise.withResolvers<void>();
    script.quarantinePod = () => keptFirst;
    script.snapshotPodState = async () => resolve();
    const incident = await lab.start([alertOf()]);
    await incident.until(({ evidence }) => evidence.length > 0, 'the evidence');
    await incident.question();
  });

  test('is kept also where the containment is refused', async () => {
    script.quarantinePod = async () => refuse('FB_ERR_PROTECTED');
    delete script.snapshotPodState;
    const incident = await lab.start([alertOf()]);
    const end = await incident.result();
    expect(end.leases.filter(({ state }) => state === 'active')).toEqual([]);
    expect([kept(incident), end.evidence.length]).toEqual([true, 1]);
  });
});
