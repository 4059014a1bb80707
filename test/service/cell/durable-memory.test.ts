import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { DurableMemory } from '../../../service/cell/pools/durable-memory.ts';

test('what was just written is read back at once, and after a restart', async () => {
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
