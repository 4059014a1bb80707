import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { openSigner } from '../../../integrations/keys/ed25519.ts';
import { openTrust, unreadableTrust } from '../../../service/process/trust.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-trust-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string): string => join(folder, `${name}.pem`);
const bytes = Buffer.from('firebreak.message.v1\nhello');

async function signedBy(name: string) {
  const signer = await openSigner({ file: file(name), create: true });
  return { keyId: signer.keyId, bytes, signature: await signer.sign(bytes) };
}

const config = {
  cluster: 'lab',
  trust: {
    cells: [
      { cluster: 'lab', key: `${file('cell')}.pub` },
      { cluster: 'prod', key: `${file('other-cell')}.pub` },
    ],
    secrets: [`${file('secrets')}.pub`],
    forensics: [`${file('forensics')}.pub`],
    packs: [],
  },
  desk: { votePublicKeys: [`${file('desk')}.pub`], voteKeyFile: file('desk'), listen: { host: '127.0.0.1', port: 0 } },
};

test('a signature is that of the role and the cluster that the configuration gives its key', async () => {
  const trust = openTrust(config, 'cell');
  const cell = await signedBy('cell');
  expect(trust.senderOf(cell)).toEqual({ role: 'cell', cluster: 'lab', keyId: cell.keyId });
  expect(trust.senderOf({ ...cell, bytes: Buffer.from('something else') })).toBeUndefined();
  expect(trust.senderOf({ ...cell, signature: 'no signature' })).toBeUndefined();
});

test('a key that another process makes later is known without a restart', async () => {
  let at = 0;
  const trust = openTrust(config, 'cell', () => at);
  await signedBy('cell');
  expect(trust.senderOf(await signedBy('stranger'))).toBeUndefined();
  const desk = await signedBy('desk');
  expect(trust.senderOf(desk)).toBeUndefined();
  at = 1_000;
  expect(trust.senderOf(desk)).toEqual({ role: 'desk', keyId: desk.keyId });
});

test('a cell believes no cell of another cluster; a desk believes those that it lists', async () => {
  const other = await signedBy('other-cell');
  expect(openTrust(config, 'cell').senderOf(other)).toBeUndefined();
  expect(openTrust(config, 'cli').senderOf(other)).toBeUndefined();
  expect(openTrust(config, 'desk').senderOf(other)).toMatchObject({ role: 'cell', cluster: 'prod' });
});

test('says which files hold no public key', async () => {
  await signedBy('secrets');
  expect(unreadableTrust(config)).toEqual([`${file('forensics')}.pub`]);
});
