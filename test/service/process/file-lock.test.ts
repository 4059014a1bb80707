import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { takeLock } from '../../../service/process/file-lock.ts';
import { killed } from '../../processes.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-lock-'));
const path = join(folder, 'lock');
afterAll(() => rmSync(folder, { recursive: true }));

const module = join(import.meta.dirname, '../../../service/process/file-lock.ts');
const holder = `import { takeLock } from ${JSON.stringify(module)};
const free = await takeLock(${JSON.stringify(path)});
console.log(free ? 'held' : 'not held');
setInterval(() => free, 1_000);`;

/** A process that tries to take the lock, and stays alive. */
async function started(): Promise<{ readonly says: string; readonly kill: () => Promise<void> }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', holder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [data] = await once(child.stdout, 'data');
  return { says: String(data).trim(), kill: () => killed(child) };
}

test('one process holds it, and once that is killed, exactly one of all that compete for it', async () => {
  const first = await started();
  expect(first.says).toBe('held');
  expect(await takeLock(path)).toBeUndefined();
  await first.kill();
  const others = await Promise.all([started(), started(), started(), started()]);
  expect(others.map(({ says }) => says).sort()).toEqual(['held', 'not held', 'not held', 'not held']);
  await Promise.all(others.map(({ kill }) => kill()));
});

test('within one process, too, exactly one of all that compete for it holds it until it lets go', async () => {
  const taken = (await Promise.all(Array.from({ length: 8 }, () => takeLock(path)))).filter((free) => free !== undefined);
  expect(taken).toHaveLength(1);
  expect(await takeLock(path)).toBeUndefined();
  taken[0]?.();
  const again = await takeLock(path);
  expect(again).toBeDefined();
  again?.();
});
