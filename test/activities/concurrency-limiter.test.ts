import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { ConcurrencyLimiter, type ConcurrencyLimiterOptions } from '../../activities/concurrency-limiter.ts';

async function mostAtOnce(limiter: ConcurrencyLimiter, { calls, ms }: { calls: number; ms: number }): Promise<number> {
  let now = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: calls }, () =>
      limiter.run(async () => {
        now += 1;
        most = Math.max(most, now);
        await new Promise((done) => setTimeout(done, ms));
        now -= 1;
      }),
    ),
  );
  return most;
}

afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

describe('a lane', () => {
  test('runs only so many at once, and all of them in the end, even if some fail', async () => {
    const limiter = new ConcurrencyLimiter(3);
    expect(await mostAtOnce(limiter, { calls: 20, ms: 2 })).toBe(3);
    await expect(limiter.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await mostAtOnce(limiter, { calls: 5, ms: 2 })).toBe(3);
  });

  test('pauses between calls that stay slow, and loses none', async () => {
    jest.useFakeTimers();
    const limiter = new ConcurrencyLimiter(4, { adaptive: true });
    const made = async (calls: Parameters<typeof mostAtOnce>[1]) => {
      const began = performance.now();
      const ended = mostAtOnce(limiter, calls).then((most) => ({ most, tookMs: performance.now() - began }));
      await jest.advanceTimersByTimeAsync(60_000);
      return ended;
    };
    await made({ calls: 10, ms: 260 });
    const { most, tookMs } = await made({ calls: 4, ms: 130 });
    expect(most).toBe(1);
    // Without a pause it would be 520.
    expect(tookMs).toBeGreaterThan(900);
  });

  test('narrows while calls are slow, and widens again', async () => {
    const { limiter, pass } = clocked(16);
    await pass({ calls: 4, ms: 300 });
    expect(await mostAtOnce(limiter, { calls: 12, ms: 1 })).toBeLessThanOrEqual(2);
    await pass({ calls: 100, ms: 60 });
    expect(await mostAtOnce(limiter, { calls: 40, ms: 1 })).toBeGreaterThan(12);
  });

  test('yields to what matters more, at most until it pauses after each call, and gradually widens again', async () => {
    let waits = true;
    const { limiter, pass } = clocked(16, { first: 4, yields: () => waits });
    expect(limiter.isFree).toBe(true);
    expect(await mostAtOnce(limiter, { calls: 4, ms: 1 })).toBe(4);
    await pass({ calls: 4, ms: 110 });
    expect(await mostAtOnce(limiter, { calls: 10, ms: 1 })).toBe(1);
    waits = false;
    await pass({ calls: 12, ms: 60 });
    expect(await mostAtOnce(limiter, { calls: 20, ms: 1 })).toBeLessThan(8);
    await pass({ calls: 60, ms: 60 });
    expect(await mostAtOnce(limiter, { calls: 40, ms: 1 })).toBeGreaterThan(12);
  });

  test.each([
    ['is slow', 300, false, 3 * 300],
    ['is quick while something else waits', 110, true, 110],
  ])('pauses after a call that %s, and no longer than that', async (_when, ms, yields, rests) => {
    jest.useFakeTimers();
    const { pass } = clocked(4, { yields: () => yields });
    const timers = jest.spyOn(globalThis, 'setTimeout');
    await Promise.all([pass({ calls: 6, ms }), jest.advanceTimersByTimeAsync(60_000)]);
    // The test runner, and what other files of this worker have left, set longer timers.
    const set = timers.mock.calls.map(([, rest]) => Number(rest)).filter((rest) => rest < 10_000);
    expect(Math.max(...set)).toBe(rests);
  });

  test('runs the more severe first, and equal ones in order of arrival', async () => {
    const limiter = new ConcurrencyLimiter(1);
    const order: string[] = [];
    const come = (name: string, rank: number): Promise<void> =>
      limiter.run(async () => void order.push(name), { key: name, rank });
    const all = [come('first', 3), come('low', 3), come('lower', 4), come('high', 1), come('later high', 1), come('medium', 2)];
    await Promise.all(all);
    expect(order).toEqual(['first', 'high', 'later high', 'medium', 'low', 'lower']);
  });

  test('lets a waiting call move to a better place, here or in another lane, and loses none', async () => {
    const [limiter, express] = [new ConcurrencyLimiter(1), new ConcurrencyLimiter(1)];
    const order: string[] = [];
    const come = (name: string, rank: number): Promise<string> =>
      limiter.run(
        async () => {
          order.push(name);
          return name;
        },
        { key: name, rank },
      );
    const all = [come('first', 3), come('a', 3), come('b', 3), come('c', 3), come('d', 1)];
    limiter.raise('c', 1, limiter);
    limiter.raise('b', 0, express);
    limiter.raise('d', 1, limiter);
    limiter.raise('nobody', 0, express);
    expect(await Promise.all(all)).toEqual(['first', 'a', 'b', 'c', 'd']);
    expect(order).toEqual(['first', 'b', 'd', 'c', 'a']);
    expect([limiter.isFree, express.isFree]).toEqual([true, true]);
  });
});

describe('a call that waited', () => {
  test('runs in the asynchronous context of its caller: its spans belong to the trace of its own incident', async () => {
    const incident = new AsyncLocalStorage<string>();
    const limiter = new ConcurrencyLimiter(1);
    const seen = await Promise.all(
      ['a', 'b', 'c'].map((id) => incident.run(id, () => limiter.run(async () => incident.getStore()))),
    );
    expect(seen).toEqual(['a', 'b', 'c']);
  });

  test('gives up its turn if it is cancelled, and its place goes to the next', async () => {
    const limiter = new ConcurrencyLimiter(1);
    const { promise, resolve } = Promise.withResolvers<void>();
    const first = limiter.run(() => promise);
    const caller = new AbortController();
    const cancelled = limiter.run(async () => 'cancelled', { signal: caller.signal });
    const next = limiter.run(async () => 'next');
    caller.abort(new Error('called off'));
    await expect(cancelled).rejects.toThrow('called off');
    expect([limiter.running, limiter.waiting]).toEqual([1, 1]);
    resolve();
    expect(await next).toBe('next');
    await first;
    await expect(limiter.run(async () => 'late', { signal: caller.signal })).resolves.toBe('late');
  });
});

/** An adaptive lane with its own clock: `pass` makes calls take this many milliseconds of it, one after another. */
function clocked(places: number, options: ConcurrencyLimiterOptions = {}) {
  let now = 1_000;
  const limiter = new ConcurrencyLimiter(places, { adaptive: true, ...options, now: () => now });
  const pass = async ({ calls, ms }: { calls: number; ms: number }): Promise<void> => {
    for (let at = 0; at < calls; at += 1) {
      await limiter.run(async () => {
        now += ms;
      });
    }
  };
  return { limiter, pass };
}
