import { createCipheriv, createDecipheriv, createHmac, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { FirebreakError } from '../../core/errors.ts';

/** A 32-byte key and the id by which it is looked up. */
export interface BoxKey {
  readonly id: string;
  readonly key: Uint8Array;
}

/** Encrypts with its active key and decrypts with any key it holds. `aad` must be the same at both ends: it states what the bytes are for. */
export interface Box {
  readonly activeKeyId: string;
  seal(bytes: Uint8Array, aad: string): Uint8Array;
  /** @throws FB_ERR_SEAL_BROKEN for an unknown key, a different `aad`, or changed bytes. */
  open(sealed: Uint8Array, aad: string): Uint8Array;
}

/**
 * The first key seals; every key opens.
 * @throws FB_ERR_CONFIG_INVALID if there is no key, a key has the wrong length, or an id occurs twice.
 */
export function createBox({ keys }: { readonly keys: readonly BoxKey[] }): Box {
  const [active] = keys;
  if (!active) throw new FirebreakError('FB_ERR_CONFIG_INVALID', 'an encryption key ring needs a key');
  const ring = new Map(keys.map((key) => [key.id, key]));
  if (ring.size < keys.length) throw new FirebreakError('FB_ERR_CONFIG_INVALID', 'two encryption keys have the same id');
  for (const { id, key } of keys) {
    const idBytes = Buffer.byteLength(id);
    if (key.byteLength !== keyBytes)
      throw new FirebreakError('FB_ERR_CONFIG_INVALID', `encryption key ${id} is not 32 bytes long`);
    if (idBytes === 0 || idBytes > 255)
      throw new FirebreakError('FB_ERR_CONFIG_INVALID', 'the id of an encryption key must be 1 to 255 bytes long');
  }
  const derived = new LRUCache<string, KeyObject>({ max: saltsKept });
  return {
    activeKeyId: active.id,
    seal: createSealer(active),
    open: (sealed, aad) => {
      const id = keyIdOf(sealed);
      const key = id === undefined ? undefined : ring.get(id);
      if (!key)
        throw new FirebreakError('FB_ERR_SEAL_BROKEN', `key ${JSON.stringify(id ?? 'without a name')} is not in the ring`);
      return open({ sealed, key, aad, derived });
    },
  };
}

const version = 1;
const keyBytes = 32;
const saltBytes = 16;
const nonceBytes = 12;
const tagBytes = 16;

const messagesPerSalt = 4_096;

/** Number of recently used salts cached; each covers thousands of messages. Deriving a key per message costs three times as much as the rest of opening it. */
const saltsKept = 64;

/**
 * AES-256-GCM. Each message uses a nonce that is counted, never random, under a key that is derived with a random salt and replaced after 4 096 messages, so no
 * number of messages brings nonces near a collision. (A random salt and nonce per message cost three times as much as the encryption: one in six milliseconds
 * of a storm.) Layout: version 1, length of the key id, key id, salt (16), nonce (12), ciphertext, tag (16).
 */
function createSealer(key: BoxKey): Box['seal'] {
  const id = Buffer.from(key.id);
  let salt = randomBytes(saltBytes);
  let derived = messageKey(key, salt);
  let count = 0;
  return (bytes, aad) => {
    if (count === messagesPerSalt) {
      salt = randomBytes(saltBytes);
      derived = messageKey(key, salt);
      count = 0;
    }
    const nonce = Buffer.alloc(nonceBytes);
    nonce.writeUInt32BE(count, nonceBytes - 4);
    count += 1;
    const cipher = createCipheriv('aes-256-gcm', derived, nonce, { authTagLength: tagBytes });
    cipher.setAAD(boundTo(aad, key.id));
    const head = Buffer.from([version, id.length]);
    return Buffer.concat([head, id, salt, nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
  };
}

/** @throws FB_ERR_SEAL_BROKEN if key, `aad` or bytes differ from those used to seal. */
function open({
  sealed,
  key,
  aad,
  derived,
}: {
  readonly sealed: Uint8Array;
  readonly key: BoxKey;
  readonly aad: string;
  readonly derived: LRUCache<string, KeyObject>;
}): Uint8Array {
  if (keyIdOf(sealed) !== key.id) throw broken(key.id);
  const { salt, nonce, rest } = partsOf(Buffer.from(sealed), Buffer.byteLength(key.id));
  if (rest.length < tagBytes) throw broken(key.id);
  try {
    const under = `${salt.toString('latin1')}${key.id}`;
    const own = derived.get(under) ?? messageKey(key, salt);
    derived.set(under, own);
    const decipher = createDecipheriv('aes-256-gcm', own, nonce, { authTagLength: tagBytes });
    decipher.setAAD(boundTo(aad, key.id));
    decipher.setAuthTag(rest.subarray(rest.length - tagBytes));
    return Buffer.concat([decipher.update(rest.subarray(0, rest.length - tagBytes)), decipher.final()]);
  } catch {
    throw broken(key.id);
  }
}

function keyIdOf(sealed: Uint8Array): string | undefined {
  const [found, length] = sealed;
  if (found !== version || !length || sealed.byteLength < 2 + length + saltBytes + nonceBytes + tagBytes) return undefined;
  return Buffer.from(sealed.subarray(2, 2 + length)).toString();
}

function partsOf(bytes: Buffer, idLength: number): { readonly salt: Buffer; readonly nonce: Buffer; readonly rest: Buffer } {
  const salt = 2 + idLength;
  const nonce = salt + saltBytes;
  const rest = nonce + nonceBytes;
  return { salt: bytes.subarray(salt, nonce), nonce: bytes.subarray(nonce, rest), rest: bytes.subarray(rest) };
}

function messageKey({ key }: BoxKey, salt: Uint8Array): KeyObject {
  return createSecretKey(createHmac('sha256', key).update('firebreak.box.v1\n').update(salt).digest());
}

function boundTo(aad: string, keyId: string): Buffer {
  return Buffer.from(`firebreak.box.v1\n${JSON.stringify([keyId, aad])}`);
}

function broken(keyId: string): FirebreakError {
  return new FirebreakError('FB_ERR_SEAL_BROKEN', `sealed with key ${keyId}`);
}
