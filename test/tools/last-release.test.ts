import { expect, test } from '@jest/globals';
import { migrations } from '../../integrations/database/migrations.ts';
import { sha256Of } from '../../integrations/evidence/drafted-file.ts';
import { lastBundle, migrationDigest, readLastRelease } from '../../tools/release/last-release.ts';

test('the workflows that are kept of the last release are those of its build', () => {
  expect(sha256Of(lastBundle()).slice(0, 16)).toBe(readLastRelease().build);
});

test('a migration that was released is never edited: a change is a new one', () => {
  const released = readLastRelease().migrations;
  expect(migrations.slice(0, released.length).map(migrationDigest)).toEqual(released);
});
