import { describe, expect, test } from '@jest/globals';
import type { Lease } from '../../../core/incident/lease.ts';
import type { IncidentModel } from '../../../workflows/incident/model.ts';
import { Leases } from '../../../workflows/steps/leases.ts';
import { joinLease } from '../../../workflows/steps/step-leases.ts';
import { setWorld, type World } from '../../../workflows/world.ts';

const lease: Lease = {
  id: 'l1',
  action: 'isolateNamespace',
  target: { name: 'namespace/shop', uid: 'uid-of-shop' },
  stepKey: 'k1',
  holders: ['contain/pod:1'],
  startedAt: 0,
  until: 1,
  durationMs: 1,
  renewals: 0,
  state: 'active',
  onExpiry: 'renew',
};

describe('a step like one already in force', () => {
  const holdings = new Map([['l1', { leaseId: 'l1', call: { input: { namespace: 'shop', allow: { dns: true } } } }]]);
  const leases = new Leases({ activeLeases: [lease], holdings } as unknown as IncidentModel, {
    page: () => {},
    ended: () => {},
    renewed: () => {},
    changed: () => {},
  });
  const join = (action: string, uid: string | undefined, input: unknown) => leases.active(action, uid, input)?.id;

  test('joins its lease by the uid that the input names, whatever else it says', () => {
    expect(join('isolateNamespace', 'uid-of-shop', {})).toBe('l1');
    expect(join('isolateNamespace', 'another', { namespace: 'shop', allow: { dns: true } })).toBeUndefined();
  });

  test('joins by the whole input where that names no uid: with other exceptions it is another step', () => {
    expect(join('isolateNamespace', undefined, { allow: { dns: true }, namespace: 'shop' })).toBe('l1');
    expect(join('isolateNamespace', undefined, { namespace: 'shop' })).toBeUndefined();
    expect(join('blockEgress', undefined, { namespace: 'shop', allow: { dns: true } })).toBeUndefined();
  });

  test('is on record with the playbook that joined, which holds it from then on', () => {
    const records: unknown[][] = [];
    const known = { holdings, steps: new Map(), record: (...record: unknown[]) => records.push(record) };
    const updated: Lease[] = [];
    const parts = { model: known, leases: { update: (one: Lease) => updated.push(one) } } as unknown as Parameters<
      typeof joinLease
    >[0];
    setWorld(() => ({ now: () => 1_000 }) as World);
    const order = {
      ...{ caller: { playbook: 'firebreak/other', subjectKey: 'pod:1' }, declaration: { reach: 'namespace' } },
      ...{ action: 'isolateNamespace', input: {}, options: {} },
    } as unknown as Parameters<typeof joinLease>[2];
    joinLease(parts, lease, order);
    const text = expect.stringMatching(/already in force: joined$/);
    expect(records).toEqual([['step.joined', 'playbook/firebreak/other', text, { lease: 'l1' }]]);
    expect(updated[0]?.holders).toEqual(['contain/pod:1', 'firebreak/other/pod:1']);
  });
});
