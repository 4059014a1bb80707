import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { releasingBuffers } from '../../activities/evidence/sealed-evidence.ts';

const part = 64 * 1024;

async function* parts(count: number): AsyncGenerator<Uint8Array> {
  for (let n = 0; n < count; n += 1) {
    // As from a connection: other work happens in between.
    if (n % 16 === 0) await nextTurn();
    yield Buffer.alloc(part, n % 256);
  }
}

describe('a long stream', () => {
  test('passes completely, with few buffers in memory at a time', async () => {
    const count = 2_000;
    const before = process.memoryUsage().arrayBuffers;
    let [bytes, most] = [0, 0];
    for await (const one of releasingBuffers(parts(count))) {
      bytes += one.byteLength;
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
    expect(bytes).toBe(count * part);
    expect(most).toBeLessThan(24 * 1024 * 1024);
  });
});
