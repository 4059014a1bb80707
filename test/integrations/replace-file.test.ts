import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

  test('where it cannot be replaced, what is there stays, and no draft does', async () => {
    const folder = newFolder();
    const path = join(folder, 'orders.json');
    mkdirSync(path);
    await expect(replace({ path, content: 'one' })).rejects.toMatchObject({ code: expect.stringMatching(/^E/) });
    expect(readdirSync(folder)).toEqual(['orders.json']);
  });
});

test('two who write one file at a time leave one of the two, whole', async () => {
  const folder = newFolder();
  const path = join(folder, 'orders.json');
  const texts = ['a'.repeat(100_000), 'b'.repeat(50_000)];
  await Promise.all(texts.map((content) => replaceFile({ path, content })));
  expect(texts).toContain(readFileSync(path, 'utf8'));
  expect(readdirSync(folder)).toEqual(['orders.json']);
});
