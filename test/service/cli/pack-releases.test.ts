import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { firebreakHere } from '../../command-line.ts';
import { writePackFolder } from '../../pack-folder.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-releases-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const person = ['--as', 'ada', '--key', 'ada.pem', '--reason', 'shells in payments'];

test('a misspelt pack or a missing folder is reported as such', async () => {
  mkdirSync(join(folder, 'store/releases/acme'), { recursive: true });
  writeFileSync(join(folder, 'store/releases/acme/1.0.0.json'), '{}');
  const releases = (...args: readonly string[]) => firebreakHere(['pack', 'releases', ...args], { folder });
  expect(await releases('acmee', '--store', 'store')).toMatchObject({
    status: 0,
    stdout: 'No version of acmee is in the store, only of: acme.\n',
  });
  const missing = await releases('acme', '--store', 'stroe');
  expect(missing).toMatchObject({ status: 1, stdout: '' });
  expect(missing.stderr).toContain(`there is no folder ${join(folder, 'stroe')}`);
});

test('a missing store is reported with the remedy, before anything is built or replayed', async () => {
  expect((await firebreakHere(['pack', 'releases', 'acme'], { folder })).stderr).toContain('Name a folder with --store');
  const pack = writePackFolder(join(folder, 'unpublished'));
  const { status, stdout, stderr } = await firebreakHere(['pack', 'publish', pack, '--key', 'none.pem'], { folder });
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toMatch(/^FB_ERR_INCOMPLETE: .*no store of releases is named, and there is no firebreak\.yaml that names one$/m);
  expect(stderr).not.toContain('replayed');
});

test.each([
  ['releases', 'acme@1.0.0', []],
  ['rollback', 'acme@1.0.0', person],
] as const)('pack %s expects only the name of a pack, and says which', async (command, written, more) => {
  const refused = await firebreakHere(['pack', command, written, ...more], { folder });
  expect(refused.status).toBe(2);
  expect(refused.stderr).toContain('Expected only the name of the pack: acme.');
});
