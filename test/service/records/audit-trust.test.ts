import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { originProblem, signRecord } from '../../../core/audit/audit.ts';
import { type FileSigner, openSigner } from '../../../integrations/keys/ed25519.ts';
import { openAuditTrust } from '../../../service/records/audit-trust.ts';
import { retiredKeyFrom } from '../../../service/records/retired-key.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-audit-trust-'));
const names = ['cell', 'old-cell', 'desk', 'old-desk', 'ada', 'old-ada'] as const;
const publicFile = (name: string): string => join(folder, `${name}.pem.pub`);
const signers = new Map<string, FileSigner>();

beforeAll(async () => {
  for (const name of names) signers.set(name, await openSigner({ file: join(folder, `${name}.pem`), create: true }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function signer(name: (typeof names)[number]): FileSigner {
  const found = signers.get(name);
  if (!found) throw new Error('no such key');
  return found;
}

const config = () => ({
  cluster: 'lab',
  trust: { cells: [{ cluster: 'lab', key: publicFile('cell') }], secrets: [], forensics: [], packs: [] },
  desk: { votePublicKeys: [publicFile('desk')], voteKeyFile: '', listen: { host: '127.0.0.1', port: 0 } },
  roster: { people: [{ id: 'ada', name: 'Ada', slackIds: [], keys: [signer('ada').publicKey] }], groups: {} },
});

const record = { chain: 'incident/lab/node/n1@1', number: 1, at: '2026-03-01T10:00:00Z', kind: 'k', actor: 'engine', body: {} };
const retired = (...texts: readonly string[]) => texts.flatMap((text) => retiredKeyFrom(text) ?? []);

test('signatures by a key that is no longer configured are believed if it is listed as retired, for the signer given there', async () => {
  const old = await signRecord(record, signer('old-cell'));
  const today = await openAuditTrust(config(), []);
  expect(originProblem(await signRecord(record, signer('cell')), today.trust)).toBeUndefined();
  expect(originProblem(old, today.trust)).toMatch(/no valid signature of a known cell or desk/);
  const { trust } = await openAuditTrust(config(), retired(`cell/lab=${publicFile('old-cell')}`));
  expect(originProblem(old, trust)).toBeUndefined();
  const elsewhere = await openAuditTrust(config(), retired(`cell/prod=${publicFile('old-cell')}`));
  expect(originProblem(old, elsewhere.trust)).toBe('is signed by the cell of prod, which does not write this chain');
});

test('votes are believed with the keys of desks and of the person, both current and retired', async () => {
  const today = await openAuditTrust(config(), []);
  expect(today.signers.keyIdsFor('ada', 'cli')).toEqual([signer('ada').keyId]);
  expect(today.signers.keyIdsFor('ada', 'page')).toEqual([signer('desk').keyId]);
  expect(today.signers.keyIdsFor('ben', 'cli')).toEqual([]);
  const more = retired(
    `person/ada=${publicFile('old-ada')}`,
    `person/ben=${publicFile('old-ada')}`,
    `desk=${publicFile('old-desk')}`,
  );
  const { signers: known } = await openAuditTrust(config(), more);
  expect(known.keyIdsFor('ada', 'cli')).toEqual([signer('ada').keyId, signer('old-ada').keyId]);
  expect(known.keyIdsFor('ben', 'cli')).toEqual([signer('old-ada').keyId]);
  expect(known.keyIdsFor('ada', 'slack')).toEqual([signer('desk').keyId, signer('old-desk').keyId]);
  const bytes = Buffer.from('firebreak.vote.v1\n{}');
  const { keyId } = signer('old-desk');
  expect(known.verify({ keyId, bytes, signature: await signer('old-desk').sign(bytes) })).toBe(true);
});

test('a key that is unreadable or invalid is an error: it must not turn what it signed into forgeries', async () => {
  const none = join(folder, 'none.pub');
  await expect(openAuditTrust(config(), retired(`cell/lab=${none}`))).rejects.toMatchObject({ code: 'FB_ERR_CONFIG_INVALID' });
  writeFileSync(none, 'no key');
  for (const who of ['cell/lab', 'desk', 'person/ada'])
    await expect(openAuditTrust(config(), retired(`${who}=${none}`))).rejects.toMatchObject({ code: 'FB_ERR_CONFIG_INVALID' });
  for (const text of ['ada=key.pub', 'cell=key.pub', 'cell/=key.pub', 'desk=', 'desk', ''])
    expect(retiredKeyFrom(text)).toBeUndefined();
});
