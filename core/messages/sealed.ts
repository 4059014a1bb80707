import { canonicalJson, hmacSha256Hex } from '../text/digest.ts';

export type CellKey = Uint8Array;

/** Longer texts are not remembered, in characters: an annotation may have a quarter of a megabyte. */
const longestKept = 4_096;
const mostKept = 256;
/** By key: the latest texts with a valid MAC, and their domains. The note of a containment is checked several times within milliseconds. */
const keptTexts = new WeakMap<CellKey, Map<string, string>>();

function keepValid(domain: string, text: string, key: CellKey): void {
  if (text.length > longestKept) return;
  const kept = keptTexts.get(key) ?? new Map<string, string>();
  keptTexts.set(key, kept.set(text, domain));
  for (const oldest of kept.keys()) {
    if (kept.size <= mostKept) return;
    kept.delete(oldest);
  }
}

function macOf(domain: string, text: string, key: CellKey): string {
  return hmacSha256Hex(key, domain + text);
}

/**
 * JSON with a MAC (HMAC-SHA256, hex) of the cell, for an annotation. `domain` prevents notes of one kind from passing as another.
 * @throws RangeError when the key has less than 32 bytes.
 */
export function seal(domain: string, value: object, key: CellKey): string {
  if (key.length < 32) throw new RangeError('the cell key must have at least 32 bytes');
  // Serialised only once: the note of a containment is on an alert's critical path.
  const text = canonicalJson(value);
  const sealed = `${text.slice(0, -1)}${text === '{}' ? '' : ','}"mac":"${macOf(domain, text, key)}"}`;
  keepValid(domain, sealed, key);
  return sealed;
}

export type Opened =
  | { readonly kind: 'absent' }
  | { readonly kind: 'unreadable' }
  /** `unknown`: no key was given to check whether the cell wrote it. */
  | { readonly kind: 'read'; readonly value: object; readonly authentic: 'yes' | 'no' | 'unknown' };

/** Reads what `seal` has written. The caller must check the content. */
export function unseal(domain: string, text: string | undefined, key: CellKey | undefined): Opened {
  if (text === undefined) return { kind: 'absent' };
  let sealed: unknown;
  try {
    sealed = JSON.parse(text);
  } catch {
    return { kind: 'unreadable' };
  }
  if (typeof sealed !== 'object' || sealed === null || !('mac' in sealed)) return { kind: 'unreadable' };
  const { mac, ...value } = sealed;
  if (!key) return { kind: 'read', value, authentic: 'unknown' };
  if (keptTexts.get(key)?.get(text) === domain) return { kind: 'read', value, authentic: 'yes' };
  if (typeof mac !== 'string' || !sameText(mac, macOf(domain, canonicalJson(value), key)))
    return { kind: 'read', value, authentic: 'no' };
  keepValid(domain, text, key);
  return { kind: 'read', value, authentic: 'yes' };
}

/** Compares in constant time, so that timing does not reveal where the difference is. */
function sameText(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let index = 0; index < a.length; index += 1) difference |= a.charCodeAt(index) ^ b.charCodeAt(index);
  return difference === 0;
}
