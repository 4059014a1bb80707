import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { houseFaults } from '../../tools/check/house.mjs';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function treeOf(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-house-'));
  folders.push(folder);
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  return folder;
}

test('circular imports are named, those of types too', () => {
  const folder = treeOf({
    'core/actions/a.ts': "import type { B } from './b.ts';\nexport interface A {\n  readonly b: B;\n}\n",
    'core/actions/b.ts': "import { c } from './deep/c.ts';\nexport type B = typeof c;\n",
    'core/actions/deep/c.ts': "import type { A } from '../a.ts';\nexport const c: A | undefined = undefined;\n",
  });
  expect(houseFaults(folder)).toEqual([
    expect.stringMatching(/^circular imports: core\/actions\/\S+ → core\/actions\/\S+ → core\/actions\/\S+:/),
  ]);
});

test('a tree without circular imports is in order', () => {
  const folder = treeOf({
    'core/actions/a.ts': "import type { B } from './b.ts';\nexport type A = B;\n",
    'core/actions/b.ts': 'export type B = 1;\n',
  });
  expect(houseFaults(folder)).toEqual([]);
});

test('a fragment belongs in the one neighbouring file that uses it', () => {
  const folder = treeOf({
    'core/a.ts': "import { b } from './b.ts';\nexport const a = b;\n",
    'core/b.ts': 'export const b = 1;\n',
    'core/actions/list.ts': "import { one } from './one.ts';\nexport const all = [one];\n",
    'core/actions/one.ts': 'export const one = 1;\n',
  });
  expect(houseFaults(folder)).toEqual([expect.stringMatching(/^core\/b\.ts: 1 lines that only its neighbour a\.ts uses/)]);
});

test('no two exported types share a name', () => {
  const folder = treeOf({
    'core/a/x.ts': 'export type Reply = 1;\n',
    'core/b/y.ts': 'export interface Reply {\n  readonly a: 1;\n}\n',
  });
  expect(houseFaults(folder)).toEqual(['the type Reply is exported by core/a/x.ts and core/b/y.ts: give each its own name']);
});

test('every export is imported somewhere, if only by a test', () => {
  const folder = treeOf({
    'core/a/x.ts': "import { read } from '../b/y.ts';\nexport const begin = read;\n",
    'core/b/y.ts': 'export const read = 1;\nexport const tested = 2;\nexport type Unread = 3;\n',
    'test/y.test.ts': "import { tested } from '../core/b/y.ts';\ntested;\n",
  });
  expect(houseFaults(folder)).toEqual(['core/b/y.ts: nothing imports Unread: export only what others need']);
});

test('no file and no exported name has a word of our own, not even in tests', () => {
  const folder = treeOf({
    'core/a/kept-keys.ts': 'export type KeyRegister = 1;\nconst kept = 1;\n',
    'core/b/mistaken.ts': 'export class Unmistaken {}\n',
    'test/c.test.ts': 'export async function isTakenBy(): Promise<void> {}\n',
  });
  expect(houseFaults(folder)).toEqual([
    'core/a/kept-keys.ts: ‘kept’ is our own word: use the usual term (stored, retained, durable, registered)',
    'test/c.test.ts: isTakenBy: ‘Taken’ is our own word: use the usual term (accepted, contained, held)',
  ]);
});

test('a folder has at most twenty files, in tests as well; fixtures may have more', () => {
  const many = (place: string, count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`${place}/f${at}.txt`, '']));
  expect(houseFaults(treeOf({ ...many('test/a', 20), ...many('test/fixtures/b', 30) }))).toEqual([]);
  expect(houseFaults(treeOf(many('test/a', 21)))).toEqual(['test/a: 21 files, at most 20 allowed: split it into subfolders']);
});
