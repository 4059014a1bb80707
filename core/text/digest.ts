import { hmac } from '@noble/hashes/hmac.js';
import { sha256 as plainSha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';

/** RFC 8785 canonical JSON: equal values give the same text, whoever wrote it. `undefined` fields are left out. */
export function canonicalJson(value: unknown): string {
  if (typeof value === 'string') return canonicalText(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`${value} has no canonical form`);
    // Number format of ECMAScript, as the RFC requires.
    return String(value);
  }
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (value === null) return 'null';
  if (typeof value !== 'object') throw new TypeError('only JSON values have a canonical form');
  let text = '';
  if (Array.isArray(value)) {
    for (const item of value) text += `${text === '' ? '[' : ','}${isLeftOut(item) ? 'null' : canonicalJson(item)}`;
    return text === '' ? '[]' : `${text}]`;
  }
  if ('toJSON' in value && typeof value.toJSON === 'function') return canonicalJson(value.toJSON());
  const fields = value as Readonly<Record<string, unknown>>;
  for (const name of inOrder(Object.keys(fields))) {
    const field = fields[name];
    if (!isLeftOut(field)) text += `${text === '' ? '{' : ','}${canonicalName(name)}:${canonicalJson(field)}`;
  }
  return text === '' ? '{}' : `${text}}`;
}

/** Above this, `sort` is faster than inserting one after another. */
const fewNames = 24;

/** Sorts names by UTF-16 code units, as the RFC requires. `sort` allocates lists of its own each time: a quarter of what canonical JSON took. */
function inOrder(list: string[]): readonly string[] {
  if (list.length > fewNames) return list.sort();
  for (let at = 1; at < list.length; at += 1) {
    const name = list[at] as string;
    let before = at - 1;
    for (; before >= 0 && (list[before] as string) > name; before -= 1) list[before + 1] = list[before] as string;
    list[before + 1] = name;
  }
  return list;
}

/** As in `JSON.stringify`. */
function isLeftOut(value: unknown): boolean {
  return value === undefined || typeof value === 'function' || typeof value === 'symbol';
}

/** Texts in which nothing needs escaping. */
const plainText = /^[ !#-[\]-~]*$/;

function canonicalText(text: string): string {
  if (plainText.test(text)) return `"${text}"`;
  if (!text.isWellFormed()) throw new TypeError('a lone surrogate has no canonical form');
  return JSON.stringify(text);
}

/** Field names are few and recur often. */
const names = new Map<string, string>();
const mostNames = 2_000;
const longestName = 64;

function canonicalName(name: string): string {
  const known = names.get(name);
  if (known !== undefined) return known;
  const text = canonicalText(name);
  if (names.size < mostNames && name.length <= longestName) names.set(name, text);
  return text;
}

const native = globalThis.process?.getBuiltinModule?.('node:crypto');

/** SHA-256 of bytes or of a text's UTF-8, in lower-case hex. Pure JavaScript inside the workflow sandbox; elsewhere Node's, which is ten times as fast. */
export function sha256Hex(data: string | Uint8Array): string {
  if (native !== undefined) return native.hash('sha256', data, 'hex');
  return bytesToHex(plainSha256(typeof data === 'string' ? utf8ToBytes(data) : data));
}

/** The same, as 32 bytes. */
export function sha256(data: string | Uint8Array): Uint8Array {
  // Via text: a separate buffer for each takes Node twice as long.
  if (native !== undefined) return Buffer.from(native.hash('sha256', data, 'hex'), 'hex');
  return plainSha256(typeof data === 'string' ? utf8ToBytes(data) : data);
}

/** HMAC-SHA256 of a text's UTF-8, in lower-case hex; pure JavaScript wherever `sha256Hex` is. The key's bytes must not change. */
export function hmacSha256Hex(key: Uint8Array, text: string): string {
  if (native !== undefined) return native.createHmac('sha256', keptKey(native, key)).update(text, 'utf8').digest('hex');
  return bytesToHex(hmac(plainSha256, key, utf8ToBytes(text)));
}

type Native = NonNullable<typeof native>;

/** Caches key objects: Node imports a key of bytes again for each call, which took nine tenths of the time and made it slower than pure JavaScript. */
const keptKeys = new WeakMap<Uint8Array, ReturnType<Native['createSecretKey']>>();

function keptKey(crypto: Native, key: Uint8Array): ReturnType<Native['createSecretKey']> {
  const known = keptKeys.get(key);
  if (known !== undefined) return known;
  const kept = crypto.createSecretKey(key);
  keptKeys.set(key, kept);
  return kept;
}

/** SHA-256 of a value's canonical JSON. Two values have the same digest exactly if they are equal. */
export function digestOf(value: unknown): string {
  return sha256Hex(canonicalJson(value));
}

const known = new WeakMap<object, string>();

/**
 * The same for an object that no longer changes, cached: a question's digest is needed three times per vote. Code that received the value from elsewhere has
 * parsed its own object, and computes the digest for that.
 */
export function digestOfFixed(value: object): string {
  const digest = known.get(value) ?? digestOf(value);
  known.set(value, digest);
  return digest;
}
