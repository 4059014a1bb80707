import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { createVerifier, openSigner, openVerifier } from '../../../integrations/keys/ed25519.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-keys-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const bytes = Buffer.from('firebreak.vote.v1\n{}');

describe('Ed25519 keys in files', () => {
  test('are created once, privately, and are the same for all concurrent creators', async () => {
    const file = join(folder, 'notary.key');
    const signers = await Promise.all([1, 2, 3].map(() => openSigner({ file, create: true })));
    expect(new Set(signers.map(({ keyId }) => keyId)).size).toBe(1);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(`${file}.pub`, 'utf8')).toBe(signers[0]?.publicKey);
    const again = await openSigner({ file });
    expect(again.keyId).toBe(signers[0]?.keyId);
  });

  test('sign what the public half verifies, and nothing else', async () => {
    const signer = await openSigner({ file: join(folder, 'a.key'), create: true });
    const other = await openSigner({ file: join(folder, 'b.key'), create: true });
    const verifier = await openVerifier({ files: [join(folder, 'a.key.pub')] });
    const signature = await signer.sign(bytes);
    const { keyId } = signer;
    expect(verifier.verify({ keyId, bytes, signature })).toBe(true);
    expect(verifier.verify({ keyId, bytes: Buffer.from('else'), signature })).toBe(false);
    expect(verifier.verify({ keyId: other.keyId, bytes, signature: await other.sign(bytes) })).toBe(false);
    expect(verifier.verify({ keyId, bytes, signature: await other.sign(bytes) })).toBe(false);
    expect(verifier.verify({ keyId, bytes, signature: `${signature}\n` })).toBe(false);
    expect(verifier.verify({ keyId, bytes, signature: '' })).toBe(false);
    expect(await verifier.verifyAsync({ keyId, bytes, signature })).toBe(true);
    expect(await verifier.verifyAsync({ keyId, bytes: Buffer.from('else'), signature })).toBe(false);
    expect(await verifier.verifyAsync({ keyId, bytes, signature: await other.sign(bytes) })).toBe(false);
    expect(await verifier.verifyAsync({ keyId: other.keyId, bytes, signature: await other.sign(bytes) })).toBe(false);
    expect(await verifier.verifyAsync({ keyId, bytes, signature: '' })).toBe(false);
  });

  test('have the id that sha256sum gives for the public key', async () => {
    const { keyId } = await openSigner({ file: join(folder, 'c.key'), create: true });
    const command = `openssl pkey -pubin -in ${join(folder, 'c.key.pub')} -outform DER | sha256sum | cut -c1-16`;
    expect(execFileSync('sh', ['-c', command], { encoding: 'utf8' }).trim()).toBe(keyId);
  });

  test('are refused by name when missing, of another kind, or private where the public half belongs', async () => {
    const invalid = { code: 'FB_ERR_CONFIG_INVALID' };
    await expect(openSigner({ file: join(folder, 'none.key') })).rejects.toMatchObject(invalid);
    await expect(openSigner({ file: join(folder, 'none', 'x.key'), create: true })).rejects.toMatchObject(invalid);
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(join(folder, 'ec.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await expect(openSigner({ file: join(folder, 'ec.key') })).rejects.toMatchObject(invalid);
    expect(() => createVerifier({ publicKeys: [readFileSync(join(folder, 'a.key'), 'utf8')] })).toThrow(
      expect.objectContaining(invalid),
    );
  });
});
