import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { alertsIn, type OutgoingRecord, sealedAt, vouchedFor } from '../../../core/audit/alert-archive.ts';
import type { Trust } from '../../../core/messages/sender.ts';
import { createBox } from '../../../integrations/crypto-box/box.ts';
import { createAlertArchive } from '../../../integrations/database/alert-archive.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import { createVerifier } from '../../../integrations/keys/ed25519.ts';
import { playbooks } from '../../../playbooks/index.ts';
import { forkIncident } from '../../../service/simulation/fork.ts';
import { type PastIncident, readPastIncident } from '../../../service/simulation/past-incident.ts';
import { AlertsOnRecord } from '../../../service/simulation/recorded-alerts.ts';
import { maker } from '../../suites/signed-records.ts';
import { type Lab, startLab } from '../harness.ts';
import { alertOf, batchOf } from '../people.ts';
import { refuse, type Script } from '../scripted.ts';

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
      ['watch', 1],
      ['remove', 1],
    ]);
    await incident.vote('remove', 'ana');
    const end = await incident.result();
    const mine = lab.seen.applied.filter((call) => call.incident.id === incident.id).map((call) => call.action);
    expect(mine.indexOf('quarantinePod')).toBeLessThan(mine.indexOf('openTicket'));
    expect([...mine].sort()).toEqual(['deletePod', 'openTicket', 'quarantinePod', 'rotateSecret', 'snapshotPodState']);
    expect(mine.indexOf('snapshotPodState')).toBeLessThan(mine.indexOf('deletePod'));
    expect(end).toMatchObject({ verdict: 'true_positive', reached: 'eradicated', open: false });
    expect(end.leases).toMatchObject([{ state: 'gone', detail: 'the target is gone', endedAt: expect.any(Number) }]);
    const card = lab.seen.cards.findLast(({ incident: { id } }) => id === incident.id);
    expect(card).toMatchObject({
      status: { state: 'decided' },
      contained: [],
      ended: [{ action: 'quarantinePod', how: 'gone' }],
    });
    expect(lab.seen.threads).toContainEqual(
      expect.stringMatching(/^Ended: cart-.* no longer exists, so its containment is over\.$/),
    );
    expect(end.audit.acknowledged).toBe(end.audit.made);
    const records = lab.seen.records.filter((record) => record.chain.startsWith(`${incident.id}@`));
    expect(records.filter(({ kind }) => kind === 'lease.gone')).toHaveLength(1);
    const numbers = records.map((record) => record.number);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    // The alert goes to the desk unchanged, next to the first record, which vouches for it but does not contain it.
    expect(records.flatMap((one) => (one.kept === undefined ? [] : [one.number]))).toEqual([1]);
    const whole = records.flatMap(({ kept, body }) => (kept === undefined ? [] : (vouchedFor(kept, { body }) ?? [])));
    expect(whole.flatMap(alertsIn)).toMatchObject([{ rule: alertOf().rule, pod: { uid: 'uid-1' } }]);
  });

  test('a release takes two people, and frees the pod under their approval', async () => {
    const incident = await lab.start([alertOf()]);
    await incident.vote('release', 'ana');
    await incident.until((state) => state.questions.some((asked) => asked.votes.length === 1), 'the first vote');
    expect((await incident.question()).status.state).toBe('open');
    await incident.vote('release', 'ben');
    const end = await incident.result();
    expect(end.verdict).toBe('benign');
    const card = lab.seen.cards.findLast(({ incident: { id } }) => id === incident.id);
    expect(card).toMatchObject({
      status: { state: 'decided', choice: 'release' },
      contained: [],
      ended: [{ action: 'quarantinePod', how: 'released', at: expect.stringMatching(/^20/) }],
    });
    expect(lab.seen.threads).toContainEqual(expect.stringMatching(/^Released: cart-.* has its network back\.$/));
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

  test('can be replayed differently from its records alone: another answer, another failure, another playbook', async () => {
    const incident = await lab.start([alertOf({ process: { commandLine: 'xmrig -o pool' } })]);
    await incident.vote('remove', 'ana');
    await incident.result();
    const past = await pastIncident(lab.seen.records, incident.id);
    expect(past).toMatchObject({ playbooks: ['firebreak/contain-dropped-binary'], verdict: 'true_positive', missing: [] });
    expect(past.alerts.map(({ alert }) => alert.process)).toEqual([{ commandLine: 'xmrig -o pool' }]);
    expect(past.answers.map(({ choice, level }) => [choice, level])).toEqual([['remove', 0]]);

    const same = await forkIncident(past, { playbooks });
    expect(same.missing).toEqual([]);
    expect(
      same.story.steps
        .filter(({ state }) => state === 'done')
        .map(({ action }) => action)
        .sort(),
    ).toEqual(past.steps.map(({ action }) => action).sort());

    const released = await forkIncident(past, {
      playbooks,
      at: 'deletePod',
      answers: [{ step: 'deletePod', choice: 'release' }],
    });
    expect(released.story).toMatchObject({ verdict: 'benign', left: [] });
    const only = (side: 'past' | 'fork') =>
      released.rows.flatMap((row) => (Object.keys(row).length === 1 && row[side] ? [row[side].text] : []));
    expect(only('past')).toContainEqual(expect.stringMatching(/^No: rotate secrets and delete pod, by Ana/));
    expect(only('fork')).toContainEqual(expect.stringMatching(/^Yes: release pod, by /));
    expect(released.rows.filter(({ past: was, fork }) => was && fork).map(({ past: was }) => was?.kind)).toContain(
      'incident.opened',
    );

    const refused = await forkIncident(past, { playbooks, failures: { quarantinePod: 'FB_ERR_CAP_REACHED' } });
    expect(refused.story.steps).toContainEqual(
      expect.objectContaining({ action: 'quarantinePod', state: 'failed', code: 'FB_ERR_CAP_REACHED' }),
    );

    // Nobody had answered by then.
    const silent = await forkIncident(past, { playbooks, at: 'quarantinePod' });
    expect(silent.story.questions[0]?.answer).toBe('silence');
    const instead = playbooks.filter(({ id }) => id === 'firebreak/quarantine-on-order');
    expect((await forkIncident(past, { playbooks, instead })).story.end).toBe('unmatched');
    await expect(forkIncident(past, { playbooks, at: 'drainNode' })).rejects.toThrow('unknown step drainNode: it had ');
  });
});

/** The incident's records, as signed by the cell, with the alerts that the desk sealed next to them. */
async function pastIncident(given: readonly OutgoingRecord[], id: string): Promise<PastIncident> {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-past-'));
  const database = await openDatabase({ url: `sqlite:${join(folder, 'desk.db')}` });
  const [store, archive] = [createAuditStore(database), createAlertArchive(database)];
  const box = createBox({ keys: [{ id: 'k', key: randomBytes(32) }] });
  for (const { kept, ...record } of given.filter(({ chain }) => chain.startsWith(`${id}@`))) {
    await store.append([maker.sign(record)]);
    if (kept !== undefined) await archive.keep([{ ...record, sealed: box.seal(Buffer.from(kept), sealedAt(record)) }]);
  }
  const { verify, keyIds } = createVerifier({ publicKeys: [maker.publicKey] });
  const trust: Trust = {
    senderOf: (signed) => (verify(signed) ? { role: 'cell', keyId: keyIds[0] ?? '', cluster: 'lab' } : undefined),
  };
  const alerts = new AlertsOnRecord({ archive, open: box.open, cluster: 'lab', trust });
  const past = await readPastIncident({ store, alerts, trust }, id);
  await database.close();
  rmSync(folder, { recursive: true, force: true });
  return past;
}

describe('volatile evidence', () => {
  const script: Script = {};
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab({ script });
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

  test('is kept even if the containment is refused', async () => {
    script.quarantinePod = async () => refuse('FB_ERR_PROTECTED');
    delete script.snapshotPodState;
    const incident = await lab.start([alertOf()]);
    const end = await incident.result();
    expect(end.leases.filter(({ state }) => state === 'active')).toEqual([]);
    expect([kept(incident), end.evidence.length]).toEqual([true, 1]);
  });
});
