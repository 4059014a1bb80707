import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { recordKinds } from '../../core/audit/record-kinds.ts';
import { projectRoot } from '../../service/process/project-root.ts';

const root = projectRoot();
const page = readFileSync(join(root, 'docs', 'records.md'), 'utf8');
const kindsIn = (text: string): readonly string[] => [...text.matchAll(/`([a-z]+\.[a-z-]+)`/g)].map(([, kind = '']) => kind);
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && line.includes('`'))
  .map((line) => {
    const [, what = '', kinds = '', , shownBy = ''] = line.split('|');
    return {
      what: what.trim(),
      kinds: kindsIn(kinds),
      tests: [...shownBy.matchAll(/`(test\/\S+)`/g)].map(([, file = '']) => file),
    };
  });
const onPage = new Set(rows.flatMap(({ kinds }) => kinds));

/** The sources in these folders, concatenated. */
function sources(folders: readonly string[], ending = /\.ts$/): string {
  const files = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => ending.test(file) && !file.endsWith('record-kinds.ts'))
      .map((file) => join(root, folder, file)),
  );
  return files.map((file) => readFileSync(file, 'utf8')).join('\n');
}

describe('the page about what is on record', () => {
  const product = sources(['workflows', 'core', 'service', 'activities']);
  const tests = sources(['test'], /(?<!docs\/records)\.test\.ts$/);

  // Anything that writes a record takes its kind from this list: the compiler rejects any other.
  test('names every kind that exists, and no others', () => {
    expect([...onPage].sort()).toEqual([...recordKinds].sort());
  });

  test('names no kind that nothing writes', () => {
    // The outcome of a decision is written as `${noun}.begun`, and that of a lease as `${state}`.
    const isWritten = (kind: string): boolean => {
      const [, what = ''] = kind.split('.');
      return product.includes(`'${kind}'`) || product.includes(`}.${what}\``) || product.includes(`'${what}'`);
    };
    expect(recordKinds.filter((kind) => !isWritten(kind))).toEqual([]);
  });

  test.each(rows)('names tests that mention it: $what', ({ kinds, tests: files }) => {
    for (const file of files) {
      const text = readFileSync(join(root, file), 'utf8');
      expect(kinds.filter((kind) => text.includes(kind))).not.toEqual([]);
    }
  });

  test('has no kind that no test names', () => {
    expect([...onPage].filter((kind) => !tests.includes(`'${kind}'`))).toEqual([]);
  });
});
