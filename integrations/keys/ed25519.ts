import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID, sign, verify } from 'node:crypto';
import { existsSync } from 'node:fs';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { FirebreakError } from '../../core/errors.ts';
import { type AsyncVerifier, keyIdOf, type PublicKey, type SignedBytes, type Signer } from '../../core/messages/signing.ts';
import { fileProblem, systemErrorCode } from '../../core/system-error.ts';

/** A signer whose public half can be shared. */
export interface FileSigner extends Signer {
  /** SPKI in PEM. */
  readonly publicKey: string;
}

/**
 * The Ed25519 key in a PKCS#8 PEM file. With `create`, a missing key is created: the private half with mode 0600, the public half next to it as `FILE.pub`.
 * Several processes that do so at once all get the same key.
 * @throws FB_ERR_CONFIG_INVALID if the file is missing or holds something else.
 */
export async function openSigner({
  file,
  create = false,
}: {
  readonly file: string;
  readonly create?: boolean;
}): Promise<FileSigner> {
  if (create) await createKeyFile(file);
  const signer = signerFrom({ pem: await read(file), name: file });
  if (create) await createPublicFile(`${file}.pub`, signer.publicKey);
  return signer;
}

/** The same for a private key already in memory; `name` is used in errors. */
export function signerFrom({ pem, name }: { readonly pem: string; readonly name: string }): FileSigner {
  const privateKey = parsed(name, () => createPrivateKey(pem));
  const publicKey = createPublicKey(privateKey);
  return {
    keyId: idOf(publicKey),
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    sign: async (bytes) => sign(null, bytes, privateKey).toString('base64'),
  };
}

/**
 * Trusts only the given public keys (SPKI PEM).
 * @throws FB_ERR_CONFIG_INVALID if one is not an Ed25519 public key.
 */
export function createVerifier({ publicKeys }: { readonly publicKeys: readonly string[] }): AsyncVerifier {
  const keys = new Map<string, KeyObject>();
  for (const [index, pem] of publicKeys.entries()) {
    const key = parsed(`public key ${index + 1}`, () => createPublicKey(refusingPrivate(pem)));
    keys.set(idOf(key), key);
  }
  const keyOf = ({ keyId, signature }: SignedBytes): KeyObject | undefined =>
    /^[A-Za-z0-9+/]{86}==$/.test(signature) ? keys.get(keyId) : undefined;
  return {
    keyIds: [...keys.keys()],
    verify: (signed) => {
      const key = keyOf(signed);
      return key !== undefined && verify(null, signed.bytes, key, Buffer.from(signed.signature, 'base64'));
    },
    verifyAsync: (signed) => {
      const key = keyOf(signed);
      if (!key) return Promise.resolve(false);
      return new Promise((resolve) => {
        verify(null, signed.bytes, key, Buffer.from(signed.signature, 'base64'), (error, isGenuine) =>
          resolve(!error && isGenuine),
        );
      });
    },
  };
}

/** A public half with its name. @throws FB_ERR_CONFIG_INVALID if it is not one. */
export function publicKeyOf(pem: string): PublicKey {
  const key = parsed('the public key', () => createPublicKey(refusingPrivate(pem)));
  return { keyId: idOf(key), pem: key.export({ type: 'spki', format: 'pem' }).toString() };
}

/** The same, from PEM files. */
export async function openVerifier({ files }: { readonly files: readonly string[] }): Promise<AsyncVerifier> {
  return createVerifier({ publicKeys: await Promise.all(files.map(read)) });
}

async function createKeyFile(file: string): Promise<void> {
  if (existsSync(file)) return;
  const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
  const draft = `${file}.${randomUUID()}.draft`;
  try {
    await writeFile(draft, pem, { mode: 0o600, flag: 'wx', flush: true });
    // A link is created atomically, and never overwrites an existing key.
    await link(draft, file);
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST')
      throw new FirebreakError(
        'FB_ERR_CONFIG_INVALID',
        `${file} cannot be created: ${systemErrorCode(error) ?? 'unknown reason'}`,
      );
  } finally {
    await rm(draft, { force: true });
  }
}

async function createPublicFile(file: string, pem: string): Promise<void> {
  try {
    await writeFile(file, pem, { mode: 0o644, flag: 'wx', flush: true });
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST')
      throw new FirebreakError(
        'FB_ERR_CONFIG_INVALID',
        `${file} cannot be created: ${systemErrorCode(error) ?? 'unknown reason'}`,
      );
  }
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', `the key file ${file}: ${fileProblem(error)}`);
  }
}

/** The crypto library's message about an unreadable key is not passed on. */
function parsed(name: string, parse: () => KeyObject): KeyObject {
  let key: KeyObject | undefined;
  try {
    key = parse();
  } catch {
    key = undefined;
  }
  if (key?.asymmetricKeyType !== 'ed25519')
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', `${name} is not an Ed25519 key in PEM`);
  return key;
}

/** Node would extract the public half from a private key: anyone who shares one by mistake should get an error. */
function refusingPrivate(pem: string): string {
  if (pem.includes('PRIVATE KEY')) throw new TypeError('a private key');
  return pem;
}

function idOf(publicKey: KeyObject): string {
  return keyIdOf(publicKey.export({ type: 'spki', format: 'der' }));
}
