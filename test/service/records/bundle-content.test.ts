import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { checkpointBytes, checkpointDigest, checkpointText, type SignedCheckpoint } from '../../../core/audit/checkpoint.ts';
import { keyIdOf, type SignatureVerifier } from '../../../core/messages/signing.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import type { Database } from '../../../integrations/database/queries.ts';
import { createVerifier, type FileSigner, signerFrom } from '../../../integrations/keys/ed25519.ts';
import { bundleContent } from '../../../service/records/bundle-content.ts';
import { createNotary } from '../../../service/records/notary.ts';
import { run } from '../../suites/audit-store.ts';
import { newPrivateKey } from '../../suites/private-key.ts';

const chain = 'incident/c/shop/Deployment/cart@1';
const others = Array.from({ length: 20 }, (_, nth) => `incident/c/shop/Deployment/w${nth}@1`);
const signerOf = (name: string): FileSigner => signerFrom({ pem: newPrivateKey(), name });
const ofToday = signerOf('today');
const replaced = signerOf('replaced');
const verifier = createVerifier({ publicKeys: [ofToday.publicKey, replaced.publicKey] });
let folder: string;
let database: Database;

/** A checkpoint for each of several chains, two of which name ours. */
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'firebreak-bundle-content-'));
  database = await openDatabase({ url: `sqlite:${join(folder, 'audit.db')}` });
  for (const name of [...others.slice(0, 10), chain, ...others.slice(10)]) await signWith(ofToday, name, 1, 3);
  await signWith(ofToday, chain, 4, 5);
  await signWith(ofToday, 'incident/c/shop/Deployment/last@1', 1, 1);
});
afterEach(async () => {
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

async function signWith(signer: FileSigner, name: string, from: number, to: number): Promise<void> {
  const store = createAuditStore(database);
  await store.append(run(name, from, to));
  const fail = (problem: unknown): void => {
    throw problem;
  };
  const notary = createNotary({ store, signer, verifier, everyMs: 60_000, onAlarm: fail, onError: fail });
  await notary.stop();
}

function content(by: SignatureVerifier = verifier, over: Partial<Parameters<typeof bundleContent>[1]> = {}) {
  return bundleContent(chain, {
    ...{ store: createAuditStore(database), verifier: by, keys: [], names: {}, madeBy: 'firebreak 0.1.0', exporterKeyId: '' },
    manifestAt: async () => undefined,
    artefactsOf: async () => [],
    ...over,
  });
}

async function checkpoint(number: number): Promise<SignedCheckpoint> {
  const [row] = await createAuditStore(database).checkpoints({ after: number - 1 });
  if (!row?.signed) throw new Error(`there is no checkpoint ${number}`);
  return row.signed;
}

const put = (signed: SignedCheckpoint) =>
  database.all('INSERT OR REPLACE INTO audit_checkpoints (number, content) VALUES ($1, $2)', [
    signed.checkpoint.number,
    checkpointText(signed),
  ]);

/** Checkpoints added by somebody who has a replaced key. */
async function addedBy(signer: FileSigner, after: number): Promise<SignedCheckpoint> {
  const last = await checkpoint(after);
  const made = { ...last.checkpoint, number: after + 1, previous: checkpointDigest(last), moved: [] };
  return { checkpoint: made, keyId: signer.keyId, signature: await signer.sign(checkpointBytes(made)) };
}

const damaged = { code: 'FB_ERR_AUDIT_DAMAGED' };

test('a bundle names whoever hands it out, though no record does, and nobody who is not involved', async () => {
  const spki = Buffer.from('the key of lea');
  const keys = [{ of: 'person/lea', spki: spki.toString('base64') }];
  const { names } = await content(verifier, { keys, exporterKeyId: keyIdOf(spki), names: { lea: 'Lea', mia: 'Mia' } });
  expect(names).toEqual({ lea: 'Lea' });
});

describe('the checkpoints of a bundle', () => {
  test('are those about its chain and the newest; no signatures of others are checked', async () => {
    let checks = 0;
    const counting: SignatureVerifier = {
      keyIds: verifier.keyIds,
      verify: (signed) => {
        checks += 1;
        return verifier.verify(signed);
      },
    };
    const { checkpoints } = await content(counting);
    expect(checkpoints.map(({ header }) => header.number)).toEqual([11, 22, 23]);
    expect(checks).toBe(3);
  });

  test('are refused if one of them has an invalid signature', async () => {
    for (const number of [11, 22, 23]) {
      const signed = await checkpoint(number);
      await put({ ...signed, signature: (await checkpoint(5)).signature });
      await expect(content()).rejects.toMatchObject(damaged);
      await put(signed);
    }
    expect((await content()).checkpoints).toHaveLength(3);
  });

  test('are refused if one in between says something else or is missing, or another head is named', async () => {
    const signed = await checkpoint(15);
    const [moved] = signed.checkpoint.moved;
    if (!moved) throw new Error('nothing has moved');
    await put({ ...signed, checkpoint: { ...signed.checkpoint, moved: [{ ...moved, number: 2 }] } });
    await expect(content()).rejects.toMatchObject(damaged);
    await database.all('DELETE FROM audit_checkpoints WHERE number = 15');
    await expect(content()).rejects.toMatchObject(damaged);
    await put(signed);
    expect((await content()).checkpoints).toHaveLength(3);
  });

  test('are refused if somebody continues with a key that was replaced', async () => {
    await put(await addedBy(replaced, 23));
    await expect(content()).rejects.toMatchObject(damaged);
  });

  test('are refused if it looks as if that key had never been replaced', async () => {
    for (const table of ['audit_records', 'audit_heads', 'audit_checkpoints']) await database.all(`DELETE FROM ${table}`);
    await signWith(replaced, chain, 1, 3);
    for (const name of others.slice(0, 3)) await signWith(ofToday, name, 1, 3);
    expect((await content()).checkpoints).toHaveLength(2);
    // Today's key signed nothing of the chain, and no header says who did.
    for (const number of [2, 3, 4]) await put({ ...(await checkpoint(number)), keyId: replaced.keyId });
    await put(await addedBy(replaced, 4));
    await expect(content()).rejects.toMatchObject(damaged);
  });

  test('are complete if the notary has not yet signed with its new key', async () => {
    const before = createVerifier({ publicKeys: [signerOf('new').publicKey, ofToday.publicKey] });
    expect((await content(before)).checkpoints).toHaveLength(3);
  });
});
