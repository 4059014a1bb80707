import { describe, expect, test } from '@jest/globals';
import { ApplicationFailure } from '@temporalio/common';
import type { StepCall } from '../../../core/action/step.ts';
import type { EffectLook } from '../../../core/incident/effect.ts';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import { workloadPlaybooks } from '../../playbooks/workload-playbook.ts';
import type { RunningIncident } from '../harness.ts';
import { alertOf } from '../people.ts';
import { refuse } from '../scripted.ts';
import { useLab } from '../use-lab.ts';

const { lab, script } = useLab({ playbooks: workloadPlaybooks });

const minute = 60_000;
const counting = { effectChecksMs: [10 * minute], countsConnections: true as const };

const recordsOf = (id: string) => lab.seen.records.filter(({ kind, chain }) => kind === 'effect.checked' && chain.startsWith(id));
const counted = ({ id }: RunningIncident) =>
  lab.seen.applied.filter((call) => call.incident.id === id && call.action === 'countConnections');
const stepOf = (state: IncidentState, action: string) => state.steps.find((step) => step.action === action);
const isQuarantined = ({ leases }: IncidentState) =>
  leases.some(({ action, state }) => action.startsWith('quarantine') && state === 'active');
const podOf = ({ input }: StepCall) => (input as { readonly pod: { readonly uid: string } }).pod;
const found = (call: StepCall, over: object = {}) => ({
  pod: podOf(call),
  ...{ node: 'n1', addresses: ['10.0.0.7'], open: 0, others: 0, neighbours: 5, table: 9, counter: 'firebreak/firebreak-count-1' },
  ...over,
});

/** What the record of the only look says, after the action and its target. */
async function lookedAt(incident: RunningIncident): Promise<string> {
  await incident.until(isQuarantined, 'the quarantine');
  await lab.env.sleep('11m');
  await lab.eventually('the record of the look', async () => recordsOf(incident.id).length === 1);
  return String(recordsOf(incident.id)[0]?.body.text).replace(/^10 minutes after \w+ on [\w/-]+: /, '');
}

const looked = (pods = 1): EffectLook => ({
  outcome: 'no-alerts',
  at: '2026-11-24T22:00:00.000Z',
  since: '2026-11-24T21:50:00.000Z',
  alerts: { counts: {} },
  problems: [],
  pods: { there: pods, of: pods },
  unknown: [],
});
const inForce = 'No alert has come from it since. The quarantine is in force.';

describe('some time after a quarantine whose connections are counted', () => {
  test('the check reports what the forensics pool counted at the pod, which is a step on record', async () => {
    const asked: unknown[] = [];
    script.lookAtEffect = () => looked();
    script['output:countConnections'] = (call) => {
      asked.push(podOf(call));
      return found(call, { open: 2 });
    };
    const incident = await lab.start([alertOf()], counting);
    expect(await lookedAt(incident)).toBe(`${inForce} 2 connections of it are open.`);
    const state = await incident.state();
    expect(asked).toMatchObject([{ name: 'cart-1', uid: 'uid-1' }]);
    expect(stepOf(state, 'countConnections')).toMatchObject({ target: 'pod/shop/cart-1' });
    expect(stepOf(state, 'quarantinePod')?.effect?.look.connections).toEqual({ open: 2, others: 0, pods: 1, of: 1 });
    // It decides nothing.
    expect(isQuarantined(state)).toBe(true);
    await lab.eventually('the line in the thread', async () =>
      lab.seen.threads.includes(`10 minutes after cart-1 was quarantined: ${inForce} 2 connections of it are open.`),
    );
  });

  test('each check counts again, and each count is a step of its own', async () => {
    script.lookAtEffect = () => looked();
    script['output:countConnections'] = (call) => found(call, { open: call.key.endsWith('/0') ? 1 : 0 });
    const incident = await lab.start([alertOf()], { ...counting, effectChecksMs: [10 * minute, 60 * minute] });
    await incident.until(isQuarantined, 'the quarantine');
    await lab.env.sleep('61m');
    await lab.eventually('both looks', async () => recordsOf(incident.id).length === 2);
    expect(recordsOf(incident.id).map(({ body }) => body.text)).toEqual([
      expect.stringContaining('1 connection of it is open.'),
      expect.stringContaining('No connection of it is open.'),
    ]);
    expect(new Set(counted(incident).map(({ key }) => key)).size).toBe(2);
  });

  test('if the pool refuses, the check says why the count is unknown, and everything else', async () => {
    script.lookAtEffect = () => looked();
    script.countConnections = () => refuse('FB_ERR_REFUSED', 'pod/shop/cart-1 uses the network of its node');
    const incident = await lab.start([alertOf()], counting);
    expect(await lookedAt(incident)).toBe(
      `${inForce} Not known: whether it has open connections: pod/shop/cart-1 uses the network of its node.`,
    );
    expect(isQuarantined(await incident.state())).toBe(true);
  });

  test('if the pool does not finish, the check goes on without it after two minutes, and undoes nothing that was decided meanwhile', async () => {
    script.lookAtEffect = () => looked();
    script.countConnections = () => {
      throw ApplicationFailure.create({ type: 'FB_ERR_UNAVAILABLE', message: 'it has not run on n1 yet' });
    };
    const incident = await lab.start([alertOf()], counting);
    await incident.until(isQuarantined, 'the quarantine');
    await lab.env.sleep('10m');
    await incident.until((now) => stepOf(now, 'countConnections')?.state === 'running', 'the count');
    await incident.vote('release', 'ana');
    await incident.vote('release', 'ben');
    await incident.until((now) => stepOf(now, 'quarantinePod')?.state === 'undone', 'the release');
    expect(recordsOf(incident.id)).toEqual([]);
    await lab.env.sleep('3m');
    await lab.eventually('the record of the look', async () => recordsOf(incident.id).length === 1);
    expect(recordsOf(incident.id)[0]?.body.text).toContain(
      'Not known: whether it has open connections: the forensics pool did not count them within 2 minutes.',
    );
    const { state, effect } = stepOf(await incident.state(), 'quarantinePod') ?? {};
    expect([state, effect?.afterMs]).toEqual(['undone', 10 * minute]);
  });

  test('what is reported about another pod does not count', async () => {
    script.lookAtEffect = () => looked();
    script['output:countConnections'] = (call) => found(call, { pod: { ...podOf(call), uid: 'uid-9' } });
    const incident = await lab.start([alertOf()], counting);
    expect(await lookedAt(incident)).toBe(`${inForce} Not known: whether it has open connections: another pod was counted.`);
  });

  test('nothing is counted if the pod is gone, or if counting is not turned on', async () => {
    script.lookAtEffect = () => ({ ...looked(), pods: { there: 0, of: 1 } });
    const gone = await lab.start([alertOf()], counting);
    expect(await lookedAt(gone)).toBe('No alert has come from it since. The pod is gone.');
    script.lookAtEffect = () => looked();
    const off = await lab.start([alertOf({ n: 2 })], { effectChecksMs: [10 * minute] });
    expect(await lookedAt(off)).toBe(inForce);
    expect([...counted(gone), ...counted(off)]).toEqual([]);
  });
});

describe('some time after the quarantine of a workload', () => {
  const pods = (count: number) =>
    Array.from({ length: count }, (_, at) => ({ namespace: 'shop', name: `cart-${at + 1}`, uid: `uid-${at + 1}` }));
  const quarantined = (count: number, there = count) => {
    script.quarantineWorkload = async () => ({ pods: pods(count), exceptions: [] });
    script.lookAtEffect = () => ({ ...looked(count), pods: { there, of: count } });
    return lab.start([alertOf()], { ...counting, playbooks: ['quarantine-the-workload'] });
  };

  const uidsOf = (incident: RunningIncident) =>
    counted(incident)
      .map((call) => podOf(call).uid)
      .sort();

  test('the first four of its pods are counted, and the check says for how many it knows', async () => {
    script['output:countConnections'] = (call) => found(call, { open: 1 });
    const incident = await quarantined(9);
    expect(await lookedAt(incident)).toBe(`${inForce} 4 connections of 4 of its 9 pods are open.`);
    expect(uidsOf(incident)).toEqual(['uid-1', 'uid-2', 'uid-3', 'uid-4']);
  });

  test('those that are gone are skipped', async () => {
    script.countConnections = async (call) => {
      if (['uid-1', 'uid-3'].includes(podOf(call).uid)) refuse('FB_ERR_NOT_FOUND', 'it does not exist');
    };
    script['output:countConnections'] = (call) => found(call);
    const incident = await quarantined(6, 4);
    expect(await lookedAt(incident)).toMatch(/: the others are gone\. No connection of its pods is open\.$/);
    expect(uidsOf(incident)).toEqual(['uid-2', 'uid-4', 'uid-5', 'uid-6']);
  });
});
