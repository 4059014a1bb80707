import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { ContainmentFirst } from '../../activities/chokepoint/containment-first.ts';

async function isHeld(turn: Promise<void>, ms: number): Promise<boolean> {
  return Promise.race([turn.then(() => false), sleep(ms).then(() => true)]);
}

describe('what follows a containment', () => {
  test('continues at once if there is nothing to contain', async () => {
    expect(await isHeld(new ContainmentFirst().turn(), 5)).toBe(false);
  });

  test('waits for each containment that is announced or in progress, then continues', async () => {
    const first = new ContainmentFirst({ quietMs: 10 });
    first.expect('a');
    first.expect('b');
    const turn = first.turn();
    await first.contain('a', async () => undefined);
    expect(await isHeld(turn, 80)).toBe(true);
    await first.contain('b', async () => undefined);
    expect(await isHeld(turn, 200)).toBe(false);
  });

  test('continues after a failed containment', async () => {
    const first = new ContainmentFirst({ quietMs: 10 });
    first.expect('a');
    const turn = first.turn();
    await first.contain('a', () => Promise.reject(new Error('the API server is gone'))).catch(() => undefined);
    expect(await isHeld(turn, 200)).toBe(false);
  });

  test('does not wait for an API server that hangs: failed attempts are no progress', async () => {
    let now = 1_000;
    const first = new ContainmentFirst({ longestMs: 60_000, now: () => now });
    const hangs = Promise.withResolvers<void>();
    const contained = first.contain('a', () => hangs.promise);
    now += 2_000;
    await first.contain('b', async () => undefined);
    now += 2_000;
    await first.contain('c', () => Promise.reject(new Error('no answer'))).catch(() => undefined);
    const turn = first.turn();
    expect(await isHeld(turn, 50)).toBe(true);
    now += 1_001;
    expect(await isHeld(turn, 500)).toBe(false);
    await first.contain('d', async () => undefined);
    expect(await isHeld(first.turn(), 50)).toBe(true);
    hangs.resolve();
    await contained;
  });

  test('is delayed only for a limited time, however many containments there are', async () => {
    const first = new ContainmentFirst({ longestMs: 60 });
    first.expect('a');
    const started = performance.now();
    await first.turn();
    expect(performance.now() - started).toBeGreaterThanOrEqual(50);
  });

  test('resumes a few at a time, in order, so that the next alert does not have to wait for all of it', async () => {
    const first = new ContainmentFirst({ quietMs: 10 });
    first.expect('a');
    const begun: number[] = [];
    const all = Array.from({ length: 10 }, (_, n) => first.turn().then(() => void begun.push(n)));
    await first.contain('a', async () => undefined);
    await all[0];
    await new Promise<void>((next) => setImmediate(next));
    expect(begun).toEqual([0, 1, 2, 3]);
    await Promise.all(all);
    expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('does not wait forever for a playbook that contains nothing', async () => {
    const first = new ContainmentFirst({ quietMs: 10, expectedMs: 50, longestMs: 60_000 });
    first.expect('a');
    expect(await isHeld(first.turn(), 300)).toBe(false);
  });
});
