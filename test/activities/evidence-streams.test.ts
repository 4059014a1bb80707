import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { EvidenceStreams } from '../../activities/evidence/evidence-streams.ts';

const { signal } = new AbortController();
const endless = 1_000_000_000_000;

/** Work that ends when told to. */
function held() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { work: () => promise, end: resolve };
}

describe('streams of evidence', () => {
  test('run a limited number at a time; the next waits for its turn, says so, and runs in order', async () => {
    const streams = new EvidenceStreams({ atATime: 2, bytesPerSecond: endless, processes: 1 });
    const [first, second] = [held(), held()];
    const running = [streams.inTurn({ signal }, first.work), streams.inTurn({ signal }, second.work)];
    const said: string[] = [];
    const order: string[] = [];
    const waiting = ['third', 'fourth'].map((name) =>
      streams.inTurn({ signal, progress: (text) => said.push(`${name}: ${text}`) }, async () => {
        order.push(name);
      }),
    );
    await sleep(10);
    expect(order).toEqual([]);
    expect(said).toEqual([
      'third: waits for its turn: 2 streams of evidence are running, 0 wait before it',
      'fourth: waits for its turn: 2 streams of evidence are running, 1 wait before it',
    ]);
    first.end();
    await Promise.all(waiting);
    expect(order).toEqual(['third', 'fourth']);
    expect(said.slice(2)).toEqual(['third: has its turn', 'fourth: has its turn']);
    second.end();
    await Promise.all(running);
  });

  test('of several processes each take their share of the cluster’s limit', async () => {
    const streams = new EvidenceStreams({ atATime: 4, bytesPerSecond: endless, processes: 3 });
    const first = held();
    const running = streams.inTurn({ signal }, first.work);
    const said: string[] = [];
    const second = streams.inTurn({ signal, progress: (text) => said.push(text) }, async () => {});
    expect(said).toEqual(['waits for its turn: 1 streams of evidence are running, 0 wait before it']);
    first.end();
    await Promise.all([running, second]);
  });

  test('pass on their place if the work fails or a waiter leaves', async () => {
    const streams = new EvidenceStreams({ atATime: 1, bytesPerSecond: endless, processes: 1 });
    const one = held();
    const running = streams.inTurn({ signal }, async () => {
      await one.work();
      throw new Error('broken');
    });
    const gone = new AbortController();
    const left = streams.inTurn({ signal: gone.signal }, async () => 'never');
    const next = streams.inTurn({ signal }, async () => 'done');
    gone.abort(new Error('called off'));
    await expect(left).rejects.toThrow('called off');
    one.end();
    await expect(running).rejects.toThrow('broken');
    expect(await next).toBe('done');
    expect(await streams.inTurn({ signal }, async () => 'again')).toBe('again');
  });

  test('are told to try again later if too many are waiting', async () => {
    const streams = new EvidenceStreams({ atATime: 1, bytesPerSecond: endless, processes: 1 });
    const one = held();
    const all = [one.work, ...Array.from({ length: 4 }, () => async () => {})].map((work) => streams.inTurn({ signal }, work));
    await expect(streams.inTurn({ signal }, async () => {})).rejects.toMatchObject({
      code: 'FB_ERR_UNAVAILABLE',
      retryable: true,
    });
    one.end();
    await Promise.all(all);
  });

  test('share a limit of bytes per second', async () => {
    const streams = new EvidenceStreams({ atATime: 2, bytesPerSecond: 10_000_000, processes: 1 });
    const send = async () => {
      let bytes = 0;
      const parts = (async function* () {
        for (let n = 0; n < 20; n += 1) yield new Uint8Array(100_000);
      })();
      for await (const part of streams.paced(parts)) bytes += part.byteLength;
      return bytes;
    };
    const started = performance.now();
    expect(await Promise.all([send(), send()])).toEqual([2_000_000, 2_000_000]);
    const ms = performance.now() - started;
    // 4 MB at 10 MB/s, less what was not sent in the tenth of a second before.
    expect(ms).toBeGreaterThan(240);
  });
});
