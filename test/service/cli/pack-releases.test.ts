import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { firebreakHere } from '../../command-line.ts';
import { acmeFiles, writePackFolder } from '../../pack-folder.ts';

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

test('incidents that cannot be replayed are reported before anything is checked or built', async () => {
  const home = join(folder, 'no-cell');
  const pack = writePackFolder(join(home, 'broken'), { ...acmeFiles, 'saying.ts': 'no code at all' });
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  writeFileSync(join(home, 'us.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  writeFileSync(join(home, 'us.pem.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  const people = '{ people: [{ id: ada, name: Ada, keys: [us.pem.pub] }], groups: { oncall: [ada], leads: [ada] } }';
  // Nothing listens there.
  const lines = [
    'cluster: no-cell',
    "temporal: { address: '127.0.0.1:1' }",
    'intake: { tokens: [{ name: falco, token: { env: T } }] }',
    `roster: ${people}`,
    'releases: { folder: releases, publishers: [{ name: us, key: us.pem.pub }] }',
  ];
  writeFileSync(join(home, 'firebreak.yaml'), lines.join('\n'));
  const publish = (...more: readonly string[]) =>
    firebreakHere(['pack', 'publish', pack, '--key', 'us.pem', ...more], { folder: home, env: { T: 'x'.repeat(32) } });
  const refused = await publish();
  expect(refused.status).not.toBe(0);
  expect(refused.stderr).toMatch(/FB_ERR_REFUSED: .*1 finding against it: no incident was replayed: .*--despite/);
  expect(refused.stderr).not.toContain('saying.ts');
  // A reason makes up for that, not for code that could not run.
  expect((await publish('--despite', 'no cell runs here')).stderr).toMatch(/FB_ERR_REFUSED.*saying\.ts/);
});

test.each([
  ['releases', 'acme@1.0.0', []],
  ['rollback', 'acme@1.0.0', person],
] as const)('pack %s expects only the name of a pack, and says which', async (command, written, more) => {
  const refused = await firebreakHere(['pack', command, written, ...more], { folder });
  expect(refused.status).toBe(2);
  expect(refused.stderr).toContain('Expected only the name of the pack: acme.');
});
