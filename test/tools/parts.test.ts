import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { cachedPart } from '../../service/parts/cache.ts';
import { runCommand } from '../../service/parts/command.ts';
import { stateOf } from '../../tools/platform/platform-record.ts';
import { removeOldCompiled, removeUnusedParts } from '../runner/unused-parts.ts';

let cache: string;
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'firebreak-parts-'));
  process.env.FIREBREAK_CACHE = cache;
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));

const command = join(import.meta.dirname, '..', 'servers', 'dev-command.ts');
const parts = async (...args: readonly string[]) => {
  // Named, not inherited: what a test sets in its environment must reach no other process, and this test removes things.
  const env = { ...process.env, FIREBREAK_CACHE: cache };
  const result = await runCommand({ command: process.execPath, args: [command, 'dev', 'parts', ...args], env });
  return { ...result, text: `${result.stdout}${result.stderr}` };
};

interface Listing {
  readonly folder: string;
  readonly parts: readonly {
    readonly folder: string;
    readonly source: string;
    readonly unused: boolean;
    readonly lastUsed: string;
  }[];
  readonly removed: readonly string[];
}
const listing = async (...args: readonly string[]): Promise<Listing> => JSON.parse((await parts('--json', ...args)).stdout);

const day = 86_400_000;
const keep = (part: {
  readonly name: string;
  readonly version: string;
  readonly bytes?: number;
  readonly usedDaysAgo?: number;
}) =>
  cachedPart({
    ...part,
    source: `a test: ${part.name}`,
    onProgress: () => {},
    install: async (draft) => writeFileSync(join(draft, 'program'), 'x'.repeat(part.bytes ?? 1_000)),
  }).then((folder) => {
    const at = new Date(Date.now() - (part.usedDaysAgo ?? 0) * day);
    utimesSync(join(folder, '.part.json'), at, at);
  });

describe('firebreak dev parts', () => {
  test('lists what is cached, the largest first: name, version, size, last use and origin', async () => {
    await keep({ name: 'tool', version: '1.0', bytes: 2_048_000, usedDaysAgo: 3 });
    await keep({ name: 'library', version: '2.1', bytes: 5_242_880 });
    const found = await listing();
    expect(found).toMatchObject({
      folder: cache,
      parts: [
        { folder: 'library-2.1', name: 'library', version: '2.1', source: 'a test: library', unused: false },
        { folder: 'tool-1.0', name: 'tool', version: '1.0', source: 'a test: tool', unused: false },
      ],
      removed: [],
    });
    expect(Date.now() - Date.parse(found.parts[1]?.lastUsed ?? '')).toBeGreaterThan(2 * day);
    const { stdout, code } = await parts();
    expect(stdout).toMatch(/library +2\.1 +5 MiB +\d{4}-\d\d-\d\d +a test: library/);
    expect(stdout).toContain(`7 MiB in ${cache}`);
    expect(code).toBe(0);
  });

  test('lists what else is cached, which never counts as unused', async () => {
    for (const folder of ['compiled', 'dev', 'trials']) mkdirSync(join(cache, folder));
    const kept = (await listing()).parts.map(({ folder, source, unused }) => [folder, source, unused]);
    expect(kept).toEqual(['compiled', 'dev', 'trials'].map((folder) => [folder, expect.not.stringMatching('unknown'), false]));
  });

  test('shows that a part was used again', async () => {
    await keep({ name: 'tool', version: '1.0', usedDaysAgo: 40 });
    expect((await listing()).parts).toMatchObject([{ unused: true }]);
    await cachedPart({ name: 'tool', version: '1.0', source: '', onProgress: () => {}, install: async () => {} });
    expect((await listing()).parts).toMatchObject([{ unused: false }]);
  });

  test('removes by name, and lists what exists if the name does not', async () => {
    await keep({ name: 'tool', version: '1.0' });
    await keep({ name: 'tool', version: '1.1' });
    await keep({ name: 'library', version: '2.1' });
    expect((await parts('--remove', 'tool-1.1', 'nothing')).text).toContain('It contains: library, tool.');
    expect(readdirSync(cache)).toHaveLength(3);
    expect((await listing('--remove', 'tool-1.1')).removed).toEqual(['tool-1.1']);
    expect((await parts('--remove', 'tool')).stdout).toContain('1 removed');
    expect(readdirSync(cache)).toEqual(['library-2.1']);
  });

  test('removes what is unused: an older version, what was not used for 30 days, what was left unfinished', async () => {
    await keep({ name: 'tool', version: '1.0', usedDaysAgo: 2 });
    await keep({ name: 'tool', version: '1.1', usedDaysAgo: 1 });
    await keep({ name: 'library', version: '2.1', usedDaysAgo: 31 });
    await keep({ name: 'server', version: '0.1', usedDaysAgo: 29 });
    mkdirSync(join(cache, 'server-0.2.4194305.draft'));
    mkdirSync(join(cache, 'dev'));
    const { removed } = await listing('--remove-unused');
    expect([...removed].sort()).toEqual(['library-2.1', 'server-0.2.4194305.draft', 'tool-1.0']);
    expect(readdirSync(cache).sort()).toEqual(['dev', 'server-0.1', 'tool-1.1']);
  });

  test('removes nothing that is in use: what a process is making, and the data of running servers', async () => {
    await keep({ name: 'tool', version: '1.0' });
    const draft = `server-0.2.${process.pid}.draft`;
    mkdirSync(join(cache, draft));
    const stateDir = join(cache, 'dev', '1a2b3c4d');
    mkdirSync(stateDir, { recursive: true });
    const record = { stateDir, pids: { server: process.pid } };
    writeFileSync(join(stateDir, 'platform.json'), JSON.stringify(record));
    // Its command line does not contain that folder: the pid belongs to another program by now, so nothing runs.
    expect((await listing()).parts.find(({ folder }) => folder === 'dev')).not.toHaveProperty('inUse');
    expect((await parts('--remove', 'server')).text).toContain(`being made by process ${process.pid}`);
    expect((await listing('--remove-all')).removed.toSorted()).toEqual(['dev', 'tool-1.0']);
    expect(readdirSync(cache)).toEqual([draft]);
  });

  test('accepts only one way to remove', async () => {
    expect((await parts('--remove-all', '--remove-unused')).text).toContain('cannot be used with');
    expect((await parts('--remove', 'tool', '--remove-all')).text).toContain('cannot be used with');
  });

  test('reports an empty cache if none exists', async () => {
    rmSync(cache, { recursive: true });
    expect(await parts()).toMatchObject({ code: 0, stdout: `Nothing is cached in ${cache}.\n` });
    mkdirSync(cache);
  });
});

describe('before a run', () => {
  test('what tests built from sources of days ago is removed, and older versions of unused parts; nothing that a run may use now', async () => {
    await keep({ name: 'test-workflows', version: 'yesterday', usedDaysAgo: 1 });
    await keep({ name: 'test-workflows', version: 'old', usedDaysAgo: 3 });
    await keep({ name: 'tool', version: '1.0', usedDaysAgo: 8 });
    await keep({ name: 'tool', version: '1.1', usedDaysAgo: 6 });
    await keep({ name: 'tool', version: '1.2', usedDaysAgo: 5 });
    await keep({ name: 'single', version: '1.0', usedDaysAgo: 60 });
    mkdirSync(join(cache, 'compiled'));
    expect(removeUnusedParts()).toEqual(['test-workflows-old', 'tool-1.0']);
    expect(readdirSync(cache).sort()).toEqual(['compiled', 'single-1.0', 'test-workflows-yesterday', 'tool-1.1', 'tool-1.2']);
  });

  test('of what each change of a source leaves behind, the newest stay', async () => {
    for (let number = 10; number < 42; number += 1)
      await keep({ name: 'test-package', version: String(number), usedDaysAgo: 1 - number / 100 });
    await keep({ name: 'test-package', version: 'now' });
    expect(removeUnusedParts().toSorted()).toEqual(['test-package-10', 'test-package-11', 'test-package-12']);
  });

  test('compiled code is removed when there is much of it and it is old', () => {
    const folder = join(cache, 'compiled', 'v24');
    mkdirSync(folder, { recursive: true });
    const old = new Date(Date.now() - 3 * day);
    for (const name of ['a', 'b', 'new']) writeFileSync(join(folder, name), '');
    for (const name of ['a', 'b']) utimesSync(join(folder, name), old, old);
    removeOldCompiled({ most: 3 });
    expect(readdirSync(folder)).toHaveLength(3);
    removeOldCompiled({ most: 2 });
    expect(readdirSync(folder)).toEqual(['new']);
  });
});

test('each folder has a platform of its own, which the folders inside it find', async () => {
  const [one, inside, other] = [join(cache, 'one'), join(cache, 'one', 'inside'), join(cache, 'other')] as const;
  for (const folder of [inside, other, stateOf(one)]) mkdirSync(folder, { recursive: true });
  const temporal = { address: '127.0.0.1:17233', namespace: 'default', uiUrl: 'http://127.0.0.1:1' };
  const kubernetes = { kubeconfig: 'k', server: 'https://127.0.0.1:2', auditLog: 'a' };
  const record = { stateDir: stateOf(one), startedAt: '2026-03-01T10:00:00.000Z', temporal, kubernetes, pids: {} };
  writeFileSync(join(stateOf(one), 'platform.json'), JSON.stringify(record));
  const statusIn = async (cwd: string): Promise<string> => {
    const env = { ...process.env, FIREBREAK_CACHE: cache };
    return (await runCommand({ command: process.execPath, args: [command, 'dev', 'status'], env, cwd })).stdout;
  };
  for (const folder of [one, inside]) expect(await statusIn(folder)).toContain('127.0.0.1:17233');
  expect(await statusIn(other)).toContain('Nothing is running for this folder');
  expect(stateOf(other)).not.toBe(stateOf(one));
});
