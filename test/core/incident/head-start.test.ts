import { describe, expect, test } from '@jest/globals';
import type { Alert } from '../../../core/alert/alert.ts';
import { type HeadStartRequest, headStartOf, headStartWithinMs } from '../../../core/incident/head-start.ts';
import { containDroppedBinary, playbooks } from '../../../playbooks/index.ts';
import { assessedAs } from '../../fixtures/assessed.ts';

const receivedAt = '2026-06-01T10:00:00.000Z';
const now = Date.parse(receivedAt) + 40;
const alert: Alert = {
  id: '0123456789abcdef0123456789abcdef',
  sensor: 'falco',
  rule: 'Drop and execute new binary in container',
  severity: 'critical',
  time: receivedAt,
  title: 'a new binary ran',
  cluster: 'lab',
  pod: { namespace: 'shop', name: 'cart-1', uid: 'uid-1' },
  workload: { kind: 'Deployment', namespace: 'shop', name: 'cart' },
  observables: [],
  tags: [],
  mitre: [],
  assessment: assessedAs('contain'),
};
const subject = { kind: 'workload', cluster: 'lab', namespace: 'shop', ownerKind: 'Deployment', name: 'cart' } as const;
const stepFor = (change: Partial<Alert> = {}, more: Partial<HeadStartRequest> = {}, at = now) =>
  headStartOf({ alert: { ...alert, ...change }, subject, receivedAt, ...more }, { playbooks, now: at });

describe('a head start', () => {
  test('is the first step of the matching playbook, under a key of this incident and alert', () => {
    expect(stepFor()).toMatchObject({
      action: 'quarantinePod',
      input: { pod: { namespace: 'shop', name: 'cart-1', uid: 'uid-1' } },
      incident: { id: 'incident/lab/shop/Deployment/cart' },
      playbook: `firebreak/${containDroppedBinary.id}`,
      severity: 'critical',
      key: expect.stringContaining(`incident/lab/shop/Deployment/cart/head-start/${alert.id}/`),
    });
    expect(stepFor()?.key).toBe(stepFor()?.key);
  });

  test.each<[string, Partial<Alert>]>([
    ['that is not assessed as to be cut off', { assessment: assessedAs('ask') }],
    ['whose pod has no uid', { pod: { namespace: 'shop', name: 'cart-1' } }],
    ['whose workload is a guess', { workload: { kind: 'Deployment', namespace: 'shop', name: 'cart', guessed: true } }],
    ['in doubt', { doubt: 'the sender sees only node a' }],
  ])('is not given to an alert %s', (_what, change) => {
    expect(stepFor(change)).toBeUndefined();
  });

  test('is not given to an alert that waited for more than 15 minutes', () => {
    expect(stepFor({}, {}, Date.parse(receivedAt) + headStartWithinMs)).toBeDefined();
    expect(stepFor({}, {}, Date.parse(receivedAt) + headStartWithinMs + 1)).toBeUndefined();
  });

  test('is given to whatever is assessed so: a rule that only files a ticket, one that nobody knows, one without a severity', () => {
    for (const change of [
      { rule: 'Read sensitive file untrusted' },
      { rule: 'Nobody knows this' },
      { rule: 'Nobody knows this', severity: 'unknown' },
    ] as const)
      expect(stepFor(change)).toMatchObject({ action: 'quarantinePod', playbook: 'firebreak/contain-unanswered' });
  });

  test('is given by the next playbook if the one for the rule is not enabled, and by none if none may contain', () => {
    const startOf = (enabled: typeof playbooks) =>
      headStartOf({ alert, subject, receivedAt }, { playbooks: enabled, now })?.playbook;
    expect(startOf(playbooks.slice(1))).toBe('firebreak/contain-unanswered');
    expect(startOf(playbooks.filter(({ contains }) => contains === undefined))).toBeUndefined();
  });
});
