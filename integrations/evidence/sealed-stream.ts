import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { FirebreakError } from '../../core/errors.ts';

const magic = Buffer.from('firebreak.sealed.v1\n');
const saltBytes = 32;
const tagBytes = 16;
const segmentBytes = 1024 * 1024;
const firstBytes = 16 * 1024;

/**
 * Seals a stream of any length in constant memory. Layout: `firebreak.sealed.v1\n`, salt (32), then segments: AES-256-GCM of 1 MiB each, followed by its tag
 * (16); only the last may be shorter. The key is HMAC-SHA256 of the given key over magic and salt. A nonce is three zeros, the segment's number (8 bytes,
 * big-endian), and 1 for the last segment, else 0: no segment can be left out, moved or cut off.
 */
export async function* sealStream(data: AsyncIterable<Uint8Array>, key: Uint8Array): AsyncGenerator<Uint8Array> {
  const salt = randomBytes(saltBytes);
  const derived = derivedKey(key, salt);
  yield Buffer.concat([magic, salt]);
  for await (const { bytes, number, isLast } of inSegments(data, segmentBytes)) {
    const cipher = createCipheriv('aes-256-gcm', derived, nonceOf(number, isLast), { authTagLength: tagBytes });
    yield cipher.update(bytes);
    // This cipher buffers nothing: the final call only makes the tag.
    cipher.final();
    yield cipher.getAuthTag();
  }
}

/**
 * Opens a sealed stream segment by segment: each is verified before it is yielded. @throws FB_ERR_SEAL_BROKEN for another key, or changed, missing or added
 * bytes.
 */
export async function* openStream(sealed: AsyncIterable<Uint8Array>, key: Uint8Array): AsyncGenerator<Uint8Array> {
  const head = magic.length + saltBytes;
  const parts = sealed[Symbol.asyncIterator]();
  let first = Buffer.alloc(0);
  while (first.length < head) {
    const { value, done } = await parts.next();
    if (done) break;
    first = Buffer.concat([first, value]);
  }
  if (first.length < head || !first.subarray(0, magic.length).equals(magic)) throw broken();
  const derived = derivedKey(key, first.subarray(magic.length, head));
  const rest = (async function* (): AsyncGenerator<Uint8Array> {
    yield first.subarray(head);
    yield* { [Symbol.asyncIterator]: () => parts };
  })();
  for await (const { bytes, number, isLast } of inSegments(rest, segmentBytes + tagBytes))
    yield openSegment({ bytes, derived, nonce: nonceOf(number, isLast) });
}

function openSegment({
  bytes,
  derived,
  nonce,
}: {
  readonly bytes: Buffer;
  readonly derived: Buffer;
  readonly nonce: Buffer;
}): Buffer {
  if (bytes.length < tagBytes) throw broken();
  const end = bytes.length - tagBytes;
  try {
    const decipher = createDecipheriv('aes-256-gcm', derived, nonce, { authTagLength: tagBytes });
    decipher.setAuthTag(bytes.subarray(end));
    const opened = decipher.update(bytes.subarray(0, end));
    decipher.final();
    return opened;
  } catch {
    throw broken();
  }
}

/** The same bytes in pieces of one size, of which only the last is shorter; an empty input yields one piece too. The bytes are valid until the next piece. */
async function* inSegments(
  data: AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<{ readonly bytes: Buffer; readonly number: bigint; readonly isLast: boolean }> {
  // Most evidence is much smaller than a segment.
  let pending = Buffer.allocUnsafe(Math.min(size, firstBytes));
  let filled = 0;
  let number = 0n;
  for await (const part of data) {
    for (let from = 0; from < part.length; ) {
      // A full piece is held until the next byte arrives: it may be the last.
      if (filled === size) {
        yield { bytes: pending, number, isLast: false };
        number += 1n;
        filled = 0;
      }
      const more = part.subarray(from, from + size - filled);
      if (filled + more.length > pending.length) pending = enlarged(pending, { filled, needed: filled + more.length, size });
      pending.set(more, filled);
      filled += more.length;
      from += more.length;
    }
  }
  yield { bytes: pending.subarray(0, filled), number, isLast: true };
}

/** At least twice as large, but no larger than a piece. */
function enlarged(
  pending: Buffer,
  { filled, needed, size }: { readonly filled: number; readonly needed: number; readonly size: number },
): Buffer<ArrayBuffer> {
  const larger = Buffer.allocUnsafe(Math.min(size, Math.max(needed, 2 * pending.length)));
  larger.set(pending.subarray(0, filled));
  return larger;
}

function derivedKey(key: Uint8Array, salt: Uint8Array): Buffer {
  return createHmac('sha256', key).update(magic).update(salt).digest();
}

function nonceOf(number: bigint, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64BE(number, 3);
  nonce.writeUInt8(isLast ? 1 : 0, 11);
  return nonce;
}

function broken(): FirebreakError {
  return new FirebreakError('FB_ERR_SEAL_BROKEN', 'sealed evidence');
}
