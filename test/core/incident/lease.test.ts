import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { severities } from '../../../core/alert/severity.ts';
import { atLeaseEnd, isLeaseId, type Lease, leaseMaximumMs, levelAtRenewal } from '../../../core/incident/lease.ts';

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

test('each renewal without an answer calls the next level with a pager, or the next level if none has one', () => {
  const levels = (...paged: readonly boolean[]) =>
    paged.map((page) => ({ group: 'g', withinMs: 1, ...(page && { page: true as const }) }));
  const called = (all: ReturnType<typeof levels>) => [1, 2, 3, 4].map((renewals) => levelAtRenewal(all, renewals));
  expect(called(levels(true, true, true))).toEqual([0, 1, 2, 2]);
  expect(called(levels(false, true, false, true))).toEqual([1, 3, 3, 3]);
  expect(called(levels(false, false))).toEqual([0, 1, 1, 1]);
  expect(called([])).toEqual([0, 0, 0, 0]);
});

test('the id of a lease is recognised among other words', () => {
  expect(isLeaseId('0123456789abcdef-l')).toBe(true);
  for (const other of ['0123456789abcdef', '0123456789abcdef-q', 'lease', 'x 0123456789abcdef-l'])
    expect(isLeaseId(other)).toBe(false);
});

test('silence releases only below critical, and only if the playbook says so', () => {
  expect(atLeaseEnd(lease, quiet)).toBe('release');
  expect(atLeaseEnd({ ...lease, onExpiry: 'renew' }, quiet)).toBe('renew');
  expect(atLeaseEnd(lease, { ...quiet, severity: 'critical' })).toBe('renew');
  expect(atLeaseEnd(lease, { ...quiet, severity: 'unknown' })).toBe('renew');
});

test('a benign verdict releases; an open question or a true positive never does', () => {
  expect(atLeaseEnd(lease, { ...quiet, severity: 'critical', verdict: 'benign' })).toBe('release');
  expect(atLeaseEnd(lease, { ...quiet, verdict: 'benign', questionOpen: true })).toBe('renew');
  expect(atLeaseEnd(lease, { ...quiet, verdict: 'true_positive' })).toBe('renew');
});

test('after 72 hours a lease escalates, but age alone never releases', () => {
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
