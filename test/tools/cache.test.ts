import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { cachedPart, cacheFolder } from '../../tools/platform/cache.ts';
import { runCommand } from '../../tools/platform/command.ts';

let cache: string;
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'firebreak-cache-'));
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));

const program = join(import.meta.dirname, 'install-once.ts');
const install = (milliseconds: number) =>
  runCommand({
    command: process.execPath,
    args: [program, String(milliseconds)],
    env: { ...process.env, FIREBREAK_CACHE: cache },
  });

describe('the cache of platform parts', () => {
  test('two processes at once install a part once, and both get it whole', async () => {
    const results = await Promise.all([install(400), install(400)]);
    expect(results.map(({ code }) => code)).toEqual([0, 0]);
    expect(
      results
        .map(({ stdout }) => stdout)
        .join('')
        .match(/installing/g),
    ).toHaveLength(1);
    expect(readFileSync(join(cache, 'part-1.0', 'program'), 'utf8')).toBe('whole');
    expect(readdirSync(cache)).toEqual(['part-1.0']);
  });

  test('an installation that was killed leaves no part, and the next one takes over', async () => {
    const child = spawn(process.execPath, [program, '60000'], { env: { ...process.env, FIREBREAK_CACHE: cache }, stdio: 'pipe' });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(existsSync(join(cache, 'part-1.0'))).toBe(false);
    expect((await install(0)).code).toBe(0);
    expect(readFileSync(join(cache, 'part-1.0', 'program'), 'utf8')).toBe('whole');
  });

  test('two parts of one process at once wait for each other, too', async () => {
    process.env.FIREBREAK_CACHE = cache;
    let installed = 0;
    const install = async () => {
      installed += 1;
      await new Promise((resolve) => setTimeout(resolve, 100));
    };
    const part = () => cachedPart({ name: 'part-1.0', install, onProgress: () => {} });
    expect(await Promise.all([part(), part()])).toEqual([join(cache, 'part-1.0'), join(cache, 'part-1.0')]);
    expect(installed).toBe(1);
  });

  test('an installation that fails leaves nothing behind', async () => {
    process.env.FIREBREAK_CACHE = cache;
    const install = () => Promise.reject(new Error('no network'));
    await expect(cachedPart({ name: 'part-2.0', install, onProgress: () => {} })).rejects.toThrow('no network');
    expect(readdirSync(cache)).toEqual([]);
  });

  test('is where FIREBREAK_CACHE says, else under XDG_CACHE_HOME', () => {
    process.env.FIREBREAK_CACHE = cache;
    expect(cacheFolder()).toBe(cache);
    delete process.env.FIREBREAK_CACHE;
    process.env.XDG_CACHE_HOME = '/somewhere';
    expect(cacheFolder()).toBe('/somewhere/firebreak');
  });
});
