import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { migrations } from '../../integrations/database/migrations.ts';
import { sha256Of } from '../../integrations/evidence/drafted-file.ts';
import { runCommand } from '../../service/parts/command.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { lastBundle, migrationDigest, readLastRelease } from '../../tools/release/last-release.ts';

test('the workflows kept from the last release are those of its build', () => {
  expect(sha256Of(lastBundle()).slice(0, 16)).toBe(readLastRelease().build);
});

test('a migration that was released is never edited: a change is a new one', () => {
  const released = readLastRelease().migrations;
  expect(migrations.slice(0, released.length).map(migrationDigest)).toEqual(released);
});

test.each([
  ['--help', 0],
  ['-h', 0],
  ['--hlep', 2],
  ['now', 2],
])('the script that keeps them changes nothing when called with %s', async (word, code) => {
  const kept = () => sha256Of(readFileSync(join(projectRoot(), 'test/fixtures/releases/last.json')));
  const before = kept();
  const args = [join(projectRoot(), 'tools/release/keep-bundle.mjs'), word];
  const told = await runCommand({ command: process.execPath, args });
  expect({ code: told.code, usage: `${told.stdout}${told.stderr}`.includes('keep-bundle.mjs\n') }).toEqual({ code, usage: true });
  expect(kept()).toBe(before);
});
