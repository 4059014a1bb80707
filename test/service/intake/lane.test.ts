import { describe, expect, test } from '@jest/globals';
import { Lane } from '../../../service/intake/lane.ts';

async function mostAtOnce(lane: Lane, { calls, ms }: { calls: number; ms: number }): Promise<number> {
  let now = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: calls }, () =>
      lane.run(async () => {
        now += 1;
        most = Math.max(most, now);
        await new Promise((done) => setTimeout(done, ms));
        now -= 1;
      }),
    ),
  );
  return most;
}

describe('a lane', () => {
  test('lets so many run at once, all of them in the end, also when some fail', async () => {
    const lane = new Lane(3);
    expect(await mostAtOnce(lane, { calls: 20, ms: 2 })).toBe(3);
    await expect(lane.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await mostAtOnce(lane, { calls: 5, ms: 2 })).toBe(3);
  });

  test('rests between calls that stay slow, and loses none', async () => {
    const lane = new Lane(4, { adaptive: true });
    await mostAtOnce(lane, { calls: 10, ms: 260 });
    const began = performance.now();
    expect(await mostAtOnce(lane, { calls: 4, ms: 130 })).toBe(1);
    // Without a rest it would be 520.
    expect(performance.now() - began).toBeGreaterThan(900);
  });

  test('narrows while calls are slow, and widens again', async () => {
    const lane = new Lane(16, { adaptive: true });
    await mostAtOnce(lane, { calls: 32, ms: 300 });
    expect(await mostAtOnce(lane, { calls: 12, ms: 5 })).toBeLessThanOrEqual(8);
    await mostAtOnce(lane, { calls: 600, ms: 1 });
    expect(await mostAtOnce(lane, { calls: 40, ms: 5 })).toBeGreaterThan(12);
  });

  test('yields to what matters more, down to one call at a time and no further, and widens again', async () => {
    let waits = true;
    const lane = new Lane(16, { adaptive: true, first: 4, yields: () => waits });
    expect(lane.isFree).toBe(true);
    expect(await mostAtOnce(lane, { calls: 4, ms: 5 })).toBe(4);
    await mostAtOnce(lane, { calls: 120, ms: 10 });
    const began = performance.now();
    expect(await mostAtOnce(lane, { calls: 10, ms: 10 })).toBe(1);
    // No rests: it goes on, slowly.
    expect(performance.now() - began).toBeLessThan(1_000);
    waits = false;
    await mostAtOnce(lane, { calls: 300, ms: 1 });
    expect(await mostAtOnce(lane, { calls: 40, ms: 5 })).toBeGreaterThan(8);
  });
});
