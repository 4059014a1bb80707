import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { changedFiles, reachedTests } from '../runner/changed.mjs';

const root = mkdtempSync(join(tmpdir(), 'firebreak-changed-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const files = {
  'core/rule.ts': 'export const rule = 1;',
  'core/alert.ts': "import { rule } from './rule.ts';\nexport const alert = rule;",
  'docs/page.md': 'A page.',
  'tools/setup/build.mjs': 'export const ensureBuilt = () => {};',
  'test/core/alert.test.ts': "import { alert } from '../../core/alert.ts';",
  'test/core/late.test.ts': "const { alert } = await import('../../core/alert.ts');",
  'test/core/other.test.ts': "import { join } from 'node:path';",
  'test/docs/pages.test.ts': "read('docs/page.md');",
  'test/journeys/started.test.ts': "import { ensureBuilt } from '../../tools/setup/build.mjs';",
};
function write(file: string, text: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), `${text}\n`);
}
function git(...args: readonly string[]): void {
  const done = spawnSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args], { cwd: root });
  if (done.status !== 0) throw new Error(String(done.stderr));
}
for (const [file, text] of Object.entries(files)) write(file, text);
git('init', '--quiet');
git('add', '--all');
git('commit', '--quiet', '--message', 'all');

const reached = (...changed: readonly string[]) => [...reachedTests({ root, changed })].sort();

describe('what a change can reach', () => {
  it('are the tests that import it, directly, through others or late, and those that start the built program', () => {
    expect(reached('core/rule.ts')).toEqual([
      'test/core/alert.test.ts',
      'test/core/late.test.ts',
      'test/journeys/started.test.ts',
    ]);
  });

  it('is a test that has changed itself, and nothing else', () => {
    expect(reached('test/core/other.test.ts')).toEqual(['test/core/other.test.ts']);
  });

  it('are the tests that name a file that is not code', () => {
    expect(reached('docs/page.md')).toEqual(['test/docs/pages.test.ts']);
  });

  it('begins with what differs from a commit, with files that are new', () => {
    expect(changedFiles({ root, since: 'HEAD' })).toEqual([]);
    write('core/rule.ts', 'export const rule = 2;');
    write('core/new.ts', 'export const one = 1;');
    expect(changedFiles({ root, since: 'HEAD' }).sort()).toEqual(['core/new.ts', 'core/rule.ts']);
    expect(() => changedFiles({ root, since: 'nowhere' })).toThrow(/name a commit, as in npm run test:changed -- main$/);
  });
});
