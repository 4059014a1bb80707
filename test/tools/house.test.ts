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

test('imports that go round are named, those of types too', () => {
  const folder = treeOf({
    'core/a.ts': "import type { B } from './b.ts';\nexport interface A {\n  readonly b: B;\n}\n",
    'core/b.ts': "import { c } from './deep/c.ts';\nexport type B = typeof c;\n",
    'core/deep/c.ts': "import type { A } from '../a.ts';\nexport const c: A | undefined = undefined;\n",
  });
  expect(houseFaults(folder)).toEqual([expect.stringMatching(/^imports go round: core\/\S+ → core\/\S+ → core\/\S+:/)]);
});

test('a tree without circles is in order', () => {
  const folder = treeOf({
    'core/a.ts': "import type { B } from './b.ts';\nexport type A = B;\n",
    'core/b.ts': 'export type B = 1;\n',
  });
  expect(houseFaults(folder)).toEqual([]);
});
