import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { FirebreakError } from '../../core/errors.ts';
import type { KeyWrap } from '../../core/evidence/incident-key.ts';
import { keyIdOf, type PublicKey, type Signer } from '../../core/messages/signing.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { CallRefused, objectAt, textAt } from '../json-api.ts';
import type { Vault } from './client.ts';

interface TransitKey {
  readonly vault: Vault;
  /** Where the transit engine is mounted. */
  readonly mount: string;
  /** The key's name. */
  readonly key: string;
}

/** Timeout of one call: evidence waits for it. */
const callMs = 10_000;

/**
 * Signs with an Ed25519 key that never leaves Vault, using its newest version as of now; earlier versions are still trusted.
 * https://developer.hashicorp.com/vault/api-docs/secret/transit#sign-data
 * @throws FB_ERR_CONFIG_INVALID if there is no such key, or it is of another type; FB_ERR_UNAVAILABLE, FB_ERR_REFUSED
 */
export async function openTransitSigner(transit: TransitKey): Promise<Signer> {
  const newest = (await versionsOf(transit)).at(-1);
  if (!newest) throw new FirebreakError('FB_ERR_CONFIG_INVALID', `${nameOf(transit)} has no version`);
  const { vault, mount, key } = transit;
  return {
    keyId: newest.keyId,
    async sign(bytes) {
      const input = Buffer.from(bytes).toString('base64');
      const body = { input, key_version: newest.number };
      const answer = await vault.ask(`${mount}/sign/${key}`, body, AbortSignal.timeout(callMs));
      const [, number, signature = ''] = /^vault:v(\d+):(.+)$/.exec(textAt(objectAt(answer, 'data'), 'signature')) ?? [];
      // Stored signatures must verify with the public half that was handed out, so Vault's answer is checked against it.
      const isRight = Number(number) === newest.number && verify(null, bytes, newest.public, Buffer.from(signature, 'base64'));
      if (!isRight) throw new FirebreakError('FB_ERR_UNAVAILABLE', `${nameOf(transit)} made no valid signature`);
      return signature;
    },
  };
}

/** Returns the public halves of all versions, oldest first, for callers that only verify. @throws as `openTransitSigner` */
export async function transitPublicKeys(transit: TransitKey): Promise<readonly PublicKey[]> {
  return (await versionsOf(transit)).map(({ keyId, pem }) => ({ keyId, pem }));
}

/**
 * Wraps keys with a key that never leaves Vault. The binding is sent as associated data.
 * https://developer.hashicorp.com/vault/api-docs/secret/transit#encrypt-data
 */
export function transitWrap(transit: TransitKey): KeyWrap {
  const { vault, mount, key } = transit;
  const dataOf = async (path: string, body: Readonly<Record<string, string>>, name: string): Promise<string> => {
    const answer = await vault.ask(`${mount}/${path}/${key}`, body, AbortSignal.timeout(callMs));
    const text = textAt(objectAt(answer, 'data'), name);
    if (text === '') throw new FirebreakError('FB_ERR_UNAVAILABLE', `${nameOf(transit)} returned no ${name}`);
    return text;
  };
  return {
    async seal(bytes, aad) {
      const body = { plaintext: Buffer.from(bytes).toString('base64'), associated_data: Buffer.from(aad).toString('base64') };
      return Buffer.from(await dataOf('encrypt', body, 'ciphertext'));
    },
    async open(sealed, aad) {
      const ciphertext = Buffer.from(sealed).toString('latin1');
      // Not wrapped by Vault: no need to ask it.
      if (!/^vault:v\d+:[A-Za-z0-9+/=]+$/.test(ciphertext)) throw broken(transit);
      try {
        const body = { ciphertext, associated_data: Buffer.from(aad).toString('base64') };
        return Buffer.from(await dataOf('decrypt', body, 'plaintext'), 'base64');
      } catch (error) {
        // The caller is allowed to ask, and Vault says that this is not what was wrapped.
        if (error instanceof CallRefused && error.status === 400) throw broken(transit);
        throw error;
      }
    },
  };
}

interface Version extends PublicKey {
  readonly number: number;
  readonly public: KeyObject;
}

async function versionsOf(transit: TransitKey): Promise<readonly Version[]> {
  const { vault, mount, key } = transit;
  const answer = await vault.read(`${mount}/keys/${key}`, AbortSignal.timeout(callMs));
  if (!answer) throw new FirebreakError('FB_ERR_CONFIG_INVALID', `${nameOf(transit)} does not exist`);
  const data = objectAt(answer, 'data');
  // A derived key has a different public half for each context.
  if (data.type !== 'ed25519' || data.derived === true)
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', `${nameOf(transit)} is not an Ed25519 key, or is a derived one`);
  return Object.entries(objectAt(data, 'keys'))
    .flatMap(([number, version]) => {
      const raw =
        isObject(version) && typeof version.public_key === 'string' ? Buffer.from(version.public_key, 'base64') : undefined;
      return raw?.length === 32 ? [versionOf(Number(number), raw)] : [];
    })
    .sort((one, other) => one.number - other.number);
}

function versionOf(number: number, raw: Buffer): Version {
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') }, format: 'jwk' });
  const keyId = keyIdOf(key.export({ type: 'spki', format: 'der' }));
  return { number, keyId, public: key, pem: key.export({ type: 'spki', format: 'pem' }).toString() };
}

function nameOf({ mount, key }: TransitKey): string {
  return `the key ${key} of Vault’s ${mount}`;
}

function broken(transit: TransitKey): FirebreakError {
  return new FirebreakError('FB_ERR_SEAL_BROKEN', `wrapped by a key other than ${nameOf(transit)}, or changed`);
}
