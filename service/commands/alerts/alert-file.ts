import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { largestBody } from '../../intake/read/parse.ts';

/** Bytes of lines that are parsed together. */
const atOnce = 2 * 1024 ** 2;
const newline = 0x0a;

/** The bytes of a file, or of standard input (`-`), decompressed if necessary. */
export async function* bytesOf(file: string): AsyncGenerator<Uint8Array> {
  const source: AsyncIterable<Uint8Array> = file === '-' ? process.stdin : createReadStream(file);
  const chunks = source[Symbol.asyncIterator]();
  let first: Uint8Array = new Uint8Array();
  // A pipe may deliver the first byte alone.
  while (first.length < 2) {
    const next = await chunks.next();
    if (next.done) break;
    first = Buffer.concat([first, next.value]);
  }
  const all = async function* (): AsyncGenerator<Uint8Array> {
    if (first.length > 0) yield first;
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value;
  };
  // Detected by the first two bytes (RFC 1952), whatever the file's name.
  if (first[0] !== 0x1f || first[1] !== 0x8b) return yield* all();
  const gunzip = createGunzip();
  feed(all(), gunzip).catch((error: Error) => gunzip.destroy(error));
  for await (const chunk of gunzip) yield chunk;
}

async function feed(packed: AsyncIterable<Uint8Array>, gunzip: ReturnType<typeof createGunzip>): Promise<void> {
  for await (const chunk of packed) {
    if (gunzip.write(chunk)) continue;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        gunzip.off('drain', done).off('close', done);
        resolve();
      };
      gunzip.on('drain', done).on('close', done);
    });
  }
  gunzip.end();
}

/**
 * Splits input into parts that can be parsed separately. Normally that is everything together, since a value may span many lines; input longer than any body is
 * split into groups of lines, and a pipe that delivers lines (`kubectl logs -f`) yields each as soon as it arrives.
 */
export async function* partsOf(
  bytes: AsyncIterable<Uint8Array>,
  { live }: { readonly live: boolean },
): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bytes) {
    waiting.push(chunk);
    size += chunk.length;
    const isLong = size > largestBody;
    if (!isLong && !(live && chunk.includes(newline))) continue;
    const all = Buffer.concat(waiting);
    const cut = isLong ? endOfLines(all) : endOfValues(all);
    if (cut > 0) yield* inPieces(all.subarray(0, cut));
    waiting = cut < all.length ? [all.subarray(cut)] : [];
    size = all.length - cut;
  }
  if (size > 0) yield Buffer.concat(waiting);
}

/** A line longer than any body is reported as such, and not buffered until it ends. */
function endOfLines(bytes: Uint8Array): number {
  const end = bytes.lastIndexOf(newline) + 1;
  return end === 0 ? bytes.length : end;
}

/** The index after the last line that certainly ends a value: one that looks like a whole object, or a line of text. */
function endOfValues(bytes: Uint8Array): number {
  let end = bytes.lastIndexOf(newline);
  while (end >= 0) {
    const start = end === 0 ? 0 : bytes.lastIndexOf(newline, end - 1) + 1;
    const last = bytes[bytes[end - 1] === 0x0d ? end - 2 : end - 1];
    const first = String.fromCharCode(bytes[start] ?? 0x20);
    if (/\w/.test(first) || (first === '{' && last === 0x7d)) return end + 1;
    end = start - 1;
  }
  return 0;
}

/** Splits lines into two halves; input without a line break stays whole. */
export function splitInHalf(bytes: Uint8Array): readonly Uint8Array[] {
  const middle = bytes.length >> 1;
  const before = bytes.lastIndexOf(newline, middle) + 1;
  const cut = before > 0 ? before : bytes.indexOf(newline, middle) + 1;
  return cut > 0 && cut < bytes.length ? [bytes.subarray(0, cut), bytes.subarray(cut)] : [bytes];
}

/** Splits many lines into groups. */
function* inPieces(bytes: Uint8Array): Generator<Uint8Array> {
  let start = 0;
  while (start < bytes.length) {
    const last = bytes.lastIndexOf(newline, start + atOnce);
    const end = last < start || bytes.length - start <= atOnce ? bytes.length : last + 1;
    yield bytes.subarray(start, end);
    start = end;
  }
}
