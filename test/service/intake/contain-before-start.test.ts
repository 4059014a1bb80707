import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import type { Alert } from '../../../core/alert/alert.ts';
import type { Severity } from '../../../core/alert/severity.ts';
import type { HeadStartRequest } from '../../../core/incident/head-start.ts';
import { ContainBeforeStart } from '../../../service/intake/send/contain-before-start.ts';
import type { HeadStartResult } from '../../../service/intake/send/head-start.ts';
import { eventually } from '../../eventually.ts';
import { alertOf } from '../../workflows/people.ts';

const subject = {
  kind: 'workload',
  cluster: 'lab',
  namespace: 'shop',
  ownerKind: 'Deployment',
  name: 'cart',
  guessed: false,
} as const;

function entryOf(n: number, severity: Severity = 'critical'): { alert: Alert; subject: typeof subject; receivedAt: string } {
  return { alert: alertOf({ n, severity }), subject, receivedAt: '2026-11-27T00:00:00Z' };
}

/** Containments that end only when the test says so. */
function byHand() {
  const begun: { readonly pod: string | undefined; readonly end: (result?: HeadStartResult) => void }[] = [];
  const before = new ContainBeforeStart({
    headStart: {
      wants: () => true,
      begin: ({ alert }: HeadStartRequest) =>
        new Promise<HeadStartResult>((done) => begun.push({ pod: alert.pod?.name, end: (result = 'contained') => done(result) })),
      orphans: () => 0,
    },
  });
  return { begun, before };
}

afterEach(() => {
  jest.restoreAllMocks();
});

describe('containments before starts', () => {
  test('begin by severity, and within one in order of arrival', async () => {
    const { begun, before } = byHand();
    const all = [...Array.from({ length: 16 }, (_, n) => entryOf(n)), entryOf(16, 'high'), entryOf(17), entryOf(18)];
    for (const entry of all) before.before([entry], Promise.resolve());
    await eventually('the first', () => begun.length === 16);
    for (let n = 0; n < all.length; n += 1) {
      await eventually('the next', () => begun.length > n);
      begun[n]?.end();
    }
    expect(begun.slice(16).map(({ pod }) => pod)).toEqual(['cart-17', 'cart-18', 'cart-16']);
  });

  test('hold every start back until the last of them is done', async () => {
    const { begun, before } = byHand();
    const started: number[] = [];
    const done = [0, 1, 2].map(async (n) => {
      before.before([entryOf(n)], Promise.resolve());
      await before.afterwards('critical', async () => void started.push(n));
    });
    await eventually('all of them', () => begun.length === 3);
    begun[0]?.end();
    begun[1]?.end();
    await new Promise((go) => setImmediate(go));
    expect(started).toEqual([]);
    begun[2]?.end();
    await Promise.all(done);
    expect(started).toEqual([0, 1, 2]);
  });

  test('let the starts through a few at a time, the worst first, and go ahead of those still to come', async () => {
    const { begun, before } = byHand();
    const starts: { readonly severity: Severity; readonly end: () => void }[] = [];
    const start = (severity: Severity) =>
      before.afterwards(severity, () => new Promise<void>((end) => starts.push({ severity, end })));
    const waiting = (['high', 'high', 'high', 'high', 'high', 'critical', 'high'] as const).map(start);
    await eventually('the first starts', () => starts.length === 4);
    before.before([entryOf(1)], Promise.resolve());
    await eventually('one more containment', () => begun.length === 1);
    for (const { end } of starts) end();
    await new Promise((go) => setImmediate(go));
    expect(starts).toHaveLength(4);
    begun[0]?.end();
    await eventually('the others', () => starts.length === 7);
    expect(starts[4]?.severity).toBe('critical');
    for (const { end } of starts) end();
    await Promise.all(waiting);
  });

  test('in an endless burst hold back no start for more than two minutes, however many there are', async () => {
    const clock = jest.spyOn(performance, 'now').mockReturnValue(1_000);
    const { begun, before } = byHand();
    const started: number[] = [];
    before.before([entryOf(0)], Promise.resolve());
    const starts = Array.from({ length: 12 }, (_, n) => before.afterwards('critical', async () => void started.push(n)));
    for (let n = 1; n <= 60; n += 1) {
      clock.mockReturnValue(1_000 + n * 2_000 - 2_000);
      before.before([entryOf(n)], Promise.resolve());
      await eventually('one more containment', () => begun.length > n);
      begun[n]?.end();
    }
    await sleep(50);
    expect(started).toEqual([]);
    clock.mockReturnValue(121_001);
    await Promise.all(starts);
    expect(started).toHaveLength(12);
    begun[0]?.end();
  });
});
