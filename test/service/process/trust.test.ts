import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { defaultPayloadConverter } from '@temporalio/common';
import { openSigner } from '../../../integrations/keys/ed25519.ts';
import { openTrust, unreadableTrust } from '../../../service/process/trust.ts';
import { createPayloadCodec } from '../../../service/temporal/codec.ts';
import { testCodecKeys } from '../../workflows/speakers.ts';

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

test('a key that another process creates later is known without a restart', async () => {
  let at = 0;
  const trust = openTrust(config, 'cell', { now: () => at });
  await signedBy('cell');
  expect(trust.senderOf(await signedBy('stranger'))).toBeUndefined();
  const desk = await signedBy('desk');
  expect(trust.senderOf(desk)).toBeUndefined();
  at = 1_000;
  expect(trust.senderOf(desk)).toEqual({ role: 'desk', keyId: desk.keyId });
});

test('a file that is unreadable or gone counts as it was before; keys that it may hold by now are in doubt for a minute', async () => {
  let at = 0;
  const told: string[] = [];
  const trust = openTrust(config, 'cell', { now: () => at, onUnreadable: (one) => told.push(one) });
  const desk = await signedBy('desk');
  expect(trust.senderOf(desk)).toMatchObject({ role: 'desk' });
  const next = await signedBy('desk-next');
  expect(trust.isUnsureOf?.(next.keyId)).toBe(false);
  const pub = `${file('desk')}.pub`;
  const half = readFileSync(`${file('desk-next')}.pub`, 'utf8').slice(0, 40);
  for (const broken of [() => writeFileSync(pub, half), () => rmSync(pub)]) {
    broken();
    at += 1_000;
    expect(trust.senderOf(next)).toBeUndefined();
    expect(trust.isUnsureOf?.(next.keyId)).toBe(true);
    expect(trust.isUnsureOf?.(desk.keyId)).toBe(false);
    expect(trust.senderOf(desk)).toMatchObject({ role: 'desk' });
  }
  expect(new Set(told)).toEqual(new Set([pub]));
  at += 60_000;
  expect(trust.isUnsureOf?.(next.keyId)).toBe(false);
  copyFileSync(`${file('desk-next')}.pub`, pub);
  at += 1_000;
  expect(trust.senderOf(next)).toMatchObject({ role: 'desk' });
  expect(trust.senderOf(desk)).toBeUndefined();
});

test('a run neither accepts nor refuses what is signed with a key whose file is being written: its task is retried', async () => {
  let at = 0;
  const trust = openTrust(config, 'cell', { now: () => at });
  const signer = await openSigner({ file: file('secrets-of-today'), create: true });
  const pub = `${file('secrets')}.pub`;
  writeFileSync(pub, 'half of a');
  const found: unknown[] = [];
  const judgements = { of: () => ({}), found: (one: unknown) => void found.push(one) };
  const codec = { keys: testCodecKeys, namespace: 'test', trust };
  const context = { type: 'workflow', namespace: 'test', workflowId: 'incident/lab/a' } as const;
  const sent = await createPayloadCodec({ ...codec, signer }).encode([defaultPayloadConverter.toPayload('hello')], context);
  const run = createPayloadCodec({ ...codec, judgements });
  const readBy = async (reader: typeof run) => {
    const [payload] = await reader.decode(sent, context);
    return payload && defaultPayloadConverter.fromPayload(payload);
  };
  await expect(readBy(run)).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
  // Calls and answers are requested again by anyone who needs them.
  expect(await readBy(createPayloadCodec({ ...codec, judgements, judgedAre: 'ends' }))).toMatchObject({ from: null });
  copyFileSync(`${file('secrets-of-today')}.pub`, pub);
  at += 1_000;
  expect(await readBy(run)).toMatchObject({ from: { role: 'secrets' }, value: 'hello' });
  expect(found).toEqual([]);
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
