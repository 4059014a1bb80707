import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { ContainmentFirst } from '../../activities/chokepoint/containment-first.ts';

async function isHeld(turn: Promise<void>, ms: number): Promise<boolean> {
  return Promise.race([turn.then(() => false), sleep(ms).then(() => true)]);
}

describe('what follows a containment', () => {
  test('goes on at once when nothing is to be contained', async () => {
    expect(await isHeld(new ContainmentFirst().turn(), 5)).toBe(false);
  });

  test('waits for each containment that is announced or under way, and then goes on', async () => {
    const first = new ContainmentFirst({ quietMs: 10 });
    first.expect('a');
    first.expect('b');
    const turn = first.turn();
    await first.contain('a', async () => undefined);
    expect(await isHeld(turn, 80)).toBe(true);
    await first.contain('b', async () => undefined);
    expect(await isHeld(turn, 200)).toBe(false);
  });

  test('goes on after a failed containment', async () => {
    const first = new ContainmentFirst({ quietMs: 10 });
    first.expect('a');
    const turn = first.turn();
    await first.contain('a', () => Promise.reject(new Error('the API server is gone'))).catch(() => undefined);
    expect(await isHeld(turn, 200)).toBe(false);
  });

  test('is held back only so long, however many are contained', async () => {
    const first = new ContainmentFirst({ longestMs: 60 });
    first.expect('a');
    const started = performance.now();
    await first.turn();
    expect(performance.now() - started).toBeGreaterThanOrEqual(50);
  });

  test('begins a few at a time when it is quiet again, in order: the next alert does not find all of it before it', async () => {
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

  test('does not wait for ever for a playbook that contains nothing', async () => {
    const first = new ContainmentFirst({ quietMs: 10, expectedMs: 50, longestMs: 60_000 });
    first.expect('a');
    expect(await isHeld(first.turn(), 300)).toBe(false);
  });
});
