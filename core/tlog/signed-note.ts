import { sha256 } from '../text/digest.ts';

/**
 * Notes signed by one or more keys, in C2SP's signed-note format (https://c2sp.org/signed-note), and the contents of a transparency log's notes
 * (https://c2sp.org/tlog-checkpoint, https://c2sp.org/tlog-cosignature): third-party tools read and verify these.
 */

/** What a key signs: a note itself, or, as a witness, that it has seen a log grow and never change. */
type NoteKeyType = 'note' | 'cosignature';

const typeBytes: Readonly<Record<NoteKeyType, number>> = { note: 1, cosignature: 4 };

/** An Ed25519 key with the name that notes use for it: without spaces and plus signs. */
export interface NoteKey {
  readonly name: string;
  readonly type: NoteKeyType;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
}

export interface NoteSignature {
  readonly name: string;
  /** 4 bytes. */
  readonly keyId: Uint8Array;
  readonly signature: Uint8Array;
}

export interface Note {
  /** Including the line feed at its end. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** A log's statement about itself: `root` is the root of the tree over its first `size` entries, 64 hex digits. */
export interface LogHead {
  readonly origin: string;
  readonly size: number;
  readonly root: string;
}

/** The content of a log's note, with the note. Only its signatures show whether to trust it. */
export interface LogNote extends LogHead {
  readonly note: Note;
}

const mostSignatures = 32;
/** No Unicode space, no plus sign, no control character. */
const keyName = /^[^\s\p{Z}\p{C}+]{1,200}$/u;

export function isKeyName(text: string): boolean {
  return keyName.test(text);
}

export function noteKeyId({ name, type, publicKey }: NoteKey): Uint8Array {
  const bytes = new TextEncoder().encode(`${name}\n`);
  return sha256(joined(bytes, Uint8Array.of(typeBytes[type]), publicKey)).slice(0, 4);
}

/** The key as one word, as tools for such logs expect it: `NAME+ID+KEY`. */
export function verifierKey(key: NoteKey): string {
  return `${key.name}+${toHex(noteKeyId(key))}+${toBase64(joined(Uint8Array.of(typeBytes[key.type]), key.publicKey))}`;
}

/** Undefined for an invalid text, or one whose id is not that of its key. */
export function parseVerifierKey(text: string): NoteKey | undefined {
  const [, name = '', id, encoded = ''] = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text) ?? [];
  const bytes = fromBase64(encoded);
  const type = bytes?.[0] === typeBytes.note ? 'note' : bytes?.[0] === typeBytes.cosignature ? 'cosignature' : undefined;
  if (!isKeyName(name) || bytes?.length !== 33 || !type) return undefined;
  const key: NoteKey = { name, type, publicKey: bytes.slice(1) };
  return toHex(noteKeyId(key)) === id ? key : undefined;
}

/** The key's SPKI in DER. */
export function spkiOf({ publicKey }: Pick<NoteKey, 'publicKey'>): Uint8Array {
  return joined(spkiStart, publicKey);
}

/** The key in PEM, for creating a verifier. */
export function pemOf(key: Pick<NoteKey, 'publicKey'>): string {
  return `-----BEGIN PUBLIC KEY-----\n${toBase64(spkiOf(key))}\n-----END PUBLIC KEY-----\n`;
}

/** The 32 bytes of an Ed25519 public key in PEM; undefined for anything else. */
export function rawKeyOf(pem: string): Uint8Array | undefined {
  const spki = fromBase64(pem.replaceAll(/-----[A-Z ]+-----|\s/g, ''));
  return spki?.length === spkiStart.length + 32 && spkiStart.every((byte, index) => spki[index] === byte)
    ? spki.slice(spkiStart.length)
    : undefined;
}

const spkiStart = Uint8Array.of(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00);

export function noteText({ text, signatures }: Note): string {
  return `${text}\n${signatures.map(signatureLine).join('')}`;
}

export function signatureLine({ name, keyId, signature }: NoteSignature): string {
  return `— ${name} ${toBase64(joined(keyId, signature))}\n`;
}

/** Undefined if it is not a note. Only its signatures show whether a trusted party signed it. */
export function parseNote(text: string): Note | undefined {
  const end = text.lastIndexOf('\n\n');
  if (end === -1 || hasControls(text)) return undefined;
  const signatures = parseSignatures(text.slice(end + 2));
  return signatures && { text: text.slice(0, end + 1), signatures };
}

/** Undefined unless the text consists of one or more signature lines, and nothing else. */
export function parseSignatures(lines: string): readonly NoteSignature[] | undefined {
  if (!lines.endsWith('\n')) return undefined;
  const each = lines.slice(0, -1).split('\n');
  const signatures = each.map((line) => {
    const [, name = '', encoded = ''] = /^— (\S+) (\S+)$/.exec(line) ?? [];
    const bytes = fromBase64(encoded);
    if (!isKeyName(name) || !bytes || bytes.length < 5) return undefined;
    return { name, keyId: bytes.slice(0, 4), signature: bytes.slice(4) };
  });
  const found = signatures.filter((one) => one !== undefined);
  return found.length === each.length && found.length <= mostSignatures ? found : undefined;
}

/** The signatures that name this key. */
export function signaturesBy({ signatures }: Pick<Note, 'signatures'>, key: NoteKey): readonly NoteSignature[] {
  const id = toHex(noteKeyId(key));
  return signatures.filter(({ name, keyId }) => name === key.name && toHex(keyId) === id);
}

export function logHeadText({ origin, size, root }: LogHead): string {
  return `${origin}\n${size}\n${toBase64(fromHex(root))}\n`;
}

/** Undefined if it is not a log's head. Extra lines after these three are ignored. */
export function parseLogHead(text: string): LogHead | undefined {
  const [origin = '', size = '', encoded = '', ...more] = text.split('\n');
  const root = fromBase64(encoded);
  if (origin === '' || !/^(0|[1-9]\d{0,15})$/.test(size) || !Number.isSafeInteger(Number(size))) return undefined;
  if (root?.length !== 32 || more.at(-1) !== '' || more.slice(0, -1).includes('')) return undefined;
  return { origin, size: Number(size), root: toHex(root) };
}

/** Undefined if it is not a log's note. */
export function parseLogNote(text: string): LogNote | undefined {
  const note = parseNote(text);
  const head = note && parseLogHead(note.text);
  return head && { ...head, note };
}

/** The text that a witness signs for a log's note, at a time in seconds since 1970. */
export function cosignedText(text: string, seconds: number): string {
  return `cosignature/v1\ntime ${seconds}\n${text}`;
}

/** Its form in a note: the time, followed by the signature itself. */
export function cosignatureBytes(seconds: number, signature: Uint8Array): Uint8Array {
  const time = new Uint8Array(8);
  new DataView(time.buffer).setBigUint64(0, BigInt(seconds));
  return joined(time, signature);
}

/** Undefined for another length, or for an impossible time. */
export function parseCosignature(bytes: Uint8Array): { readonly seconds: number; readonly signature: Uint8Array } | undefined {
  if (bytes.length !== 72) return undefined;
  const seconds = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0));
  return Number.isSafeInteger(seconds) ? { seconds, signature: bytes.slice(8) } : undefined;
}

export function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** Undefined unless it is exactly what `toBase64` writes. */
export function fromBase64(text: string): Uint8Array | undefined {
  try {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return toBase64(bytes) === text ? bytes : undefined;
  } catch {
    return undefined;
  }
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function hasControls(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 32 && code !== 10) return true;
  }
  return false;
}
