import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import { DurableMemory } from '../../../service/cell/pools/durable-memory.ts';

test('a value is readable immediately after it is written, and after a restart', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'firebreak-kept-'));
  try {
    const first = new DurableMemory(directory, { error: () => undefined });
    const values = first.values<{ n: number }>('some');
    values.put('a', { n: 1 });
    values.put('b', { n: 1 });
    values.put('a', { n: 2 });
    values.remove('b');
    expect([values.get('a'), values.get('b'), values.keys()]).toEqual([{ n: 2 }, undefined, ['a']]);
    await first.close();
    const second = new DurableMemory(directory, { error: () => undefined });
    expect(second.values('some').keys()).toEqual(['a']);
    expect(second.values('some').get('a')).toEqual({ n: 2 });
    await second.close();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('written values are not kept in memory, however many there are', async () => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const directory = mkdtempSync(join(tmpdir(), 'firebreak-kept-'));
  try {
    const memory = new DurableMemory(directory, { error: () => undefined });
    const values = memory.values<number>('some');
    const heapAfter = async (writes: number): Promise<number> => {
      for (let n = 0; n < writes; n += 1) values.put('a', n);
      await memory.written();
      collect();
      return process.memoryUsage().heapUsed;
    };
    const before = await heapAfter(5_000);
    expect((await heapAfter(50_000)) - before).toBeLessThan(1_500_000);
    await memory.close();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
