import { describe, expect, test } from '@jest/globals';
import type { Lease } from '../../../core/incident/lease.ts';
import type { IncidentModel } from '../../../workflows/incident/model.ts';
import { Leases } from '../../../workflows/steps/leases.ts';

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

describe('a step like one that is in force', () => {
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
});
