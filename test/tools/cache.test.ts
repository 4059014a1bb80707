import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { askAgain, cachedPart } from '../../service/parts/cache.ts';
import { type RunCommandOptions, runCommand } from '../../service/parts/command.ts';
import { installWithPip } from '../../service/parts/python-package.ts';
import { cacheFolder } from '../../service/process/cache-folder.ts';
import { eventually } from '../eventually.ts';
import { processesWith } from '../processes.ts';

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
  test('two processes at once install a part only once, and both get all of it', async () => {
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

  test('two installations in one process wait for each other, too', async () => {
    process.env.FIREBREAK_CACHE = cache;
    let installed = 0;
    const install = async () => {
      installed += 1;
      await new Promise((resolve) => setTimeout(resolve, 100));
    };
    const part = () => cachedPart({ name: 'part', version: '1.0', source: 'a test', install, onProgress: () => {} });
    expect(await Promise.all([part(), part()])).toEqual([join(cache, 'part-1.0'), join(cache, 'part-1.0')]);
    expect(installed).toBe(1);
  });

  test('an installation that fails leaves nothing behind', async () => {
    process.env.FIREBREAK_CACHE = cache;
    const install = () => Promise.reject(new Error('no network'));
    const part = { name: 'part', version: '2.0', source: 'a test', onProgress: () => {} };
    await expect(cachedPart({ ...part, install })).rejects.toThrow('no network');
    expect(readdirSync(cache)).toEqual([]);
    const onFullDisk = async (draft: string) => {
      writeFileSync(join(draft, 'half'), 'half');
      writeFileSync('/dev/full', 'the rest');
    };
    await expect(cachedPart({ ...part, install: onFullDisk })).rejects.toThrow('ENOSPC');
    expect(readdirSync(cache)).toEqual([]);
  });

  test('a registry that refuses once is asked again, and one that keeps refusing ends it with the last reason', async () => {
    const answers = (...reasons: readonly (string | undefined)[]) => {
      const left = [...reasons];
      return { left, attempt: async () => left.shift() };
    };
    const once = answers('502 Bad Gateway', undefined, 'never asked');
    expect(await askAgain(once.attempt, [1, 1])).toBeUndefined();
    expect(once.left).toEqual(['never asked']);
    expect(await askAgain(answers('a', 'b', 'c').attempt, [1, 1])).toBe('c');
  });

  test('pip is asked again as well, and its last message is reported', async () => {
    const said = ['502 Bad Gateway', 'No matching distribution found'];
    const calls: string[] = [];
    const run = async ({ args }: RunCommandOptions) => {
      calls.push(args.includes('venv') ? 'venv' : 'pip');
      const isPip = args.includes('pip');
      return { code: isPip ? 1 : 0, stdout: '', stderr: isPip ? `${said[calls.length > 3 ? 1 : 0]}` : '' };
    };
    const installing = installWithPip({ requirements: ['tool==1.0'], folder: join(cache, 'draft'), run, pausesMs: [1] });
    await expect(installing).rejects.toThrow('pip could not install tool==1.0 (No matching distribution found)');
    expect(calls).toEqual(['pip', 'venv', 'pip', 'pip', 'venv', 'pip']);
  });

  test.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)(
    'an installation whose process gets %s leaves no draft, no lock and no program that it started',
    async (signal) => {
      const child = spawn(process.execPath, [program, '0', 'writing'], {
        env: { ...process.env, FIREBREAK_CACHE: cache },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(child.stdout, 'data');
      const written = () => readdirSync(cache).some((entry) => existsSync(join(cache, entry, '20', 'file')));
      await eventually('what the program writes', written);
      child.kill(signal);
      await once(child, 'exit');
      await eventually('an empty cache', () => readdirSync(cache).length === 0);
      await eventually('the end of the program', () => processesWith(cache).length === 0);
      expect(readdirSync(cache)).toEqual([]);
    },
  );

  test('a draft left by a crash of the machine is removed by the next installation, but not one that is being made', async () => {
    const draft = (pid: number | undefined) => `other-1.0.${pid}.draft`;
    const gone = spawn(process.execPath, ['--version']);
    await once(gone, 'exit');
    for (const pid of [gone.pid, process.pid]) mkdirSync(join(cache, draft(pid)));
    expect((await install(0)).code).toBe(0);
    expect(readdirSync(cache).sort()).toEqual([draft(process.pid), 'part-1.0']);
  });

  test('nothing temporary is in a part', async () => {
    process.env.FIREBREAK_CACHE = cache;
    const folder = await cachedPart({
      name: 'part',
      version: '3.0',
      source: 'a test',
      onProgress: () => {},
      install: async (draft, run) => {
        const args = ['-c', 'echo x > "$TMPDIR/x"; echo program > program'];
        expect(await run({ command: '/bin/sh', args, cwd: draft })).toMatchObject({ code: 0 });
      },
    });
    expect(readdirSync(folder).sort()).toEqual(['.part.json', 'program']);
  });

  test('is where FIREBREAK_CACHE says, otherwise under XDG_CACHE_HOME', () => {
    process.env.FIREBREAK_CACHE = cache;
    expect(cacheFolder()).toBe(cache);
    delete process.env.FIREBREAK_CACHE;
    process.env.XDG_CACHE_HOME = '/somewhere';
    expect(cacheFolder()).toBe('/somewhere/firebreak');
  });
});
