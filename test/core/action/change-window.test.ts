import { describe, expect, test } from '@jest/globals';
import { type ChangeWindow, closedText, closedWindow, isOpen, opensNext, outsideOf } from '../../../core/action/change-window.ts';
import type { Plan } from '../../../core/action/plan.ts';
import { quorumOf } from '../../../core/decide/approval.ts';

const at = (text: string): number => Date.parse(text);
const berlin: ChangeWindow = {
  name: 'business-hours',
  timeZone: 'Europe/Berlin',
  open: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '09:00', until: '16:00' }],
  outside: 'oneMore',
};

describe('a change window', () => {
  test.each([
    ['2026-07-06T06:59:59Z', false],
    ['2026-07-06T07:00:00Z', true],
    ['2026-07-06T13:59:59Z', true],
    ['2026-07-06T14:00:00Z', false],
    ['2026-01-05T07:30:00Z', false],
    ['2026-01-05T08:00:00Z', true],
    ['2026-07-05T10:00:00Z', false],
  ])('follows the wall clock of its time zone, in summer and winter: %s', (time, open) => {
    expect(isOpen(berlin, at(time))).toBe(open);
  });

  test('whose end time is before its start time ends on the next day', () => {
    const night = { timeZone: 'UTC', open: [{ days: ['fri'], from: '22:00', until: '04:00' }] } as const;
    for (const [time, open] of [
      ['2026-07-10T21:59:00Z', false],
      ['2026-07-10T22:00:00Z', true],
      ['2026-07-11T03:59:00Z', true],
      ['2026-07-11T04:00:00Z', false],
      ['2026-07-10T03:00:00Z', false],
    ] as const)
      expect([time, isOpen(night, at(time))]).toEqual([time, open]);
  });

  test('says when it opens next, across a weekend and a clock change', () => {
    expect(opensNext(berlin, at('2026-03-27T20:00:00Z'))).toBe(at('2026-03-30T07:00:00Z'));
    expect(opensNext(berlin, at('2026-07-06T06:00:00Z'))).toBe(at('2026-07-06T07:00:00Z'));
    expect(closedText(berlin, at('2026-07-04T12:00:00Z'))).toBe(
      'the change window business-hours is closed: it opens at 2026-07-06 07:00 UTC',
    );
  });
});

describe('a step has to wait for a window', () => {
  const closed = at('2026-07-04T12:00:00Z');
  const step = { effect: 'destructive', reach: 'pod', namespaces: ['shop'], playbook: 'p' } as const;

  test('if it is destructive or wide, but not if it contains one pod, only reads, or acts outside the cluster', () => {
    expect(closedWindow([berlin], step, closed)).toBe(berlin);
    expect(closedWindow([berlin], { ...step, effect: 'reversible', reach: 'workload' }, closed)).toBe(berlin);
    for (const free of [
      { effect: 'reversible', reach: 'pod' },
      { effect: 'read', reach: 'namespace' },
      { effect: 'reversible', reach: 'outside' },
    ] as const)
      expect(closedWindow([berlin], { ...step, ...free }, closed)).toBeUndefined();
    expect(closedWindow([berlin], step, at('2026-07-06T10:00:00Z'))).toBeUndefined();
  });

  test('for its namespaces and playbooks; a node belongs to every namespace', () => {
    const payments = { ...berlin, namespaces: ['payments'] };
    expect(closedWindow([payments], step, closed)).toBeUndefined();
    expect(closedWindow([payments], { ...step, namespaces: ['shop', 'payments'] }, closed)).toBe(payments);
    expect(closedWindow([payments], { ...step, reach: 'node', namespaces: [] }, closed)).toBe(payments);
    expect(closedWindow([{ ...berlin, playbooks: ['other'] }], step, closed)).toBeUndefined();
  });

  test('and if several are closed, the one that refuses wins', () => {
    const strict: ChangeWindow = { ...berlin, name: 'strict', outside: 'refuse' };
    expect(closedWindow([berlin, strict], step, closed)).toBe(strict);
  });
});

test('outside a window one more person must agree, and the people asked are told so', () => {
  const plan: Plan = {
    action: 'deletePod',
    effect: 'destructive',
    reach: 'pod',
    target: { name: 'pod/shop/cart' },
    changes: [],
    blastRadius: ['pod/shop/cart'],
    notes: [],
    inputDigest: '0',
  };
  expect(quorumOf({ plans: [plan], severity: 'high' })).toBe(1);
  const asked = outsideOf(plan, 'business-hours');
  expect(quorumOf({ plans: [asked], severity: 'high' })).toBe(2);
  expect(quorumOf({ plans: [outsideOf({ ...plan, reach: 'namespace' }, 'business-hours')], severity: 'high' })).toBe(3);
  expect(asked.notes).toEqual([expect.stringContaining('one more person than usual must agree')]);
});
