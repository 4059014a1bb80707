import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { replaceFile, replaceFileSync } from '../../integrations/replace-file.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-replace-'));
  folders.push(folder);
  return folder;
}

/** Drafts are numbered: after one that was seen comes the next. */
async function nextDraftOf(path: string, replace: typeof replaceFile): Promise<string> {
  const seen = new Promise<string>((resolve) => {
    const watcher = watch(dirname(path), (_, name) => {
      if (!name?.endsWith('.draft')) return;
      watcher.close();
      resolve(name);
    });
  });
  await replace({ path, content: 'zero' });
  return join(
    dirname(path),
    (await seen).replace(/-(\d+)\.draft$/, (_, nth: string) => `-${Number(nth) + 1}.draft`),
  );
}

describe.each([
  ['replaceFile', replaceFile],
  ['replaceFileSync', async (file: Parameters<typeof replaceFileSync>[0]) => replaceFileSync(file)],
])('%s', (_, replace) => {
  test('makes the folder, replaces what is there, and leaves nothing else', async () => {
    const folder = join(newFolder(), 'state');
    const path = join(folder, 'orders.json');
    await replace({ path, content: 'one' });
    await replace({ path, content: 'two' });
    expect(readFileSync(path, 'utf8')).toBe('two');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['orders.json']);
  });

  test('creates a folder that is open to those who may read the file', async () => {
    const folder = join(newFolder(), 'log');
    await replace({ path: join(folder, 'checkpoint'), content: 'one', mode: 0o644 });
    expect(statSync(folder).mode & 0o777).toBe(0o755);
  });

  test('does not write through a link placed where its draft will be', async () => {
    const folder = newFolder();
    const [path, other] = [join(folder, 'report.html'), join(folder, 'other')];
    writeFileSync(other, 'untouched');
    const draft = await nextDraftOf(path, replace);
    symlinkSync(other, draft);
    await replace({ path, content: 'one' });
    expect([readFileSync(other, 'utf8'), readFileSync(path, 'utf8')]).toEqual(['untouched', 'one']);
    expect(lstatSync(path).isSymbolicLink()).toBe(false);
  });

  test('leaves the old file and no draft when it cannot be replaced', async () => {
    const folder = newFolder();
    const path = join(folder, 'orders.json');
    mkdirSync(path);
    await expect(replace({ path, content: 'one' })).rejects.toMatchObject({ code: expect.stringMatching(/^E/) });
    expect(readdirSync(folder)).toEqual(['orders.json']);
  });
});

test('two concurrent writers of one file leave one of the two versions, intact', async () => {
  const folder = newFolder();
  const path = join(folder, 'orders.json');
  const texts = ['a'.repeat(100_000), 'b'.repeat(50_000)];
  await Promise.all(texts.map((content) => replaceFile({ path, content })));
  expect(texts).toContain(readFileSync(path, 'utf8'));
  expect(readdirSync(folder)).toEqual(['orders.json']);
});
