import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { atLeaseEnd, type Lease, leaseMaximumMs } from '../../core/lease.ts';
import { severities } from '../../core/severity.ts';

const lease: Lease = {
  id: 'l',
  action: 'quarantinePod',
  target: { name: 'pod/shop/cart-1' },
  stepKey: 'k',
  holders: [],
  startedAt: 0,
  until: 0,
  durationMs: 1,
  renewals: 0,
  state: 'active',
  onExpiry: 'release',
};
const quiet = { severity: 'high', verdict: 'unknown', questionOpen: false, now: 1 } as const;

test('silence frees below critical only, and only where the playbook says so', () => {
  expect(atLeaseEnd(lease, quiet)).toBe('release');
  expect(atLeaseEnd({ ...lease, onExpiry: 'renew' }, quiet)).toBe('renew');
  expect(atLeaseEnd(lease, { ...quiet, severity: 'critical' })).toBe('renew');
  expect(atLeaseEnd(lease, { ...quiet, severity: 'unknown' })).toBe('renew');
});

test('benign frees; an open question and a true positive never do', () => {
  expect(atLeaseEnd(lease, { ...quiet, severity: 'critical', verdict: 'benign' })).toBe('release');
  expect(atLeaseEnd(lease, { ...quiet, verdict: 'benign', questionOpen: true })).toBe('renew');
  expect(atLeaseEnd(lease, { ...quiet, verdict: 'true_positive' })).toBe('renew');
});

test('after 72 hours it calls louder, and however old it is, age alone never frees', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...severities),
      fc.constantFrom('true_positive', 'suspicious', 'unknown', 'benign'),
      fc.boolean(),
      fc.constantFrom('renew', 'release'),
      (severity, verdict, questionOpen, onExpiry) => {
        const young = atLeaseEnd({ ...lease, onExpiry }, { severity, verdict, questionOpen, now: leaseMaximumMs - 1 });
        const old = atLeaseEnd({ ...lease, onExpiry }, { severity, verdict, questionOpen, now: leaseMaximumMs });
        expect(old).toBe(young === 'renew' ? 'escalate' : young);
      },
    ),
  );
});
