import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { largestBody } from '../../intake/read/parse.ts';

/** Lines that are parsed together. */
const atOnce = 2 * 1024 ** 2;
const newline = 0x0a;

/** The bytes of a file, or of standard input (`-`), unpacked where they are packed. */
export async function* bytesOf(file: string): AsyncGenerator<Uint8Array> {
  const source: AsyncIterable<Uint8Array> = file === '-' ? process.stdin : createReadStream(file);
  const chunks = source[Symbol.asyncIterator]();
  let first: Uint8Array = new Uint8Array();
  // A pipe may bring the first byte alone.
  while (first.length < 2) {
    const next = await chunks.next();
    if (next.done) break;
    first = Buffer.concat([first, next.value]);
  }
  const all = async function* (): AsyncGenerator<Uint8Array> {
    if (first.length > 0) yield first;
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value;
  };
  // By its first two bytes (RFC 1952), whatever the name.
  if (first[0] !== 0x1f || first[1] !== 0x8b) return yield* all();
  const gunzip = createGunzip();
  feed(all(), gunzip).catch((error: Error) => gunzip.destroy(error));
  for await (const chunk of gunzip) yield chunk;
}

async function feed(packed: AsyncIterable<Uint8Array>, gunzip: ReturnType<typeof createGunzip>): Promise<void> {
  for await (const chunk of packed) {
    if (gunzip.write(chunk)) continue;
    await new Promise<unknown>((resolve) => gunzip.once('drain', resolve).once('close', resolve));
  }
  gunzip.end();
}

/**
 * Parts that can be parsed each by itself: all of it together, since a value may go over many lines; but of what is longer than any body
 * some lines at a time, and of a pipe that brings lines (`kubectl logs -f`) each as soon as it is there.
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

/** A line that is longer than any body is told as such, and not kept until it ends. */
function endOfLines(bytes: Uint8Array): number {
  const end = bytes.lastIndexOf(newline) + 1;
  return end === 0 ? bytes.length : end;
}

/** The index after the last line with which a value surely ends: one that is a whole object by its looks, or a line of text. */
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

/** Both halves of many lines; what has no line break in it stays whole. */
export function splitInHalf(bytes: Uint8Array): readonly Uint8Array[] {
  const middle = bytes.length >> 1;
  const before = bytes.lastIndexOf(newline, middle) + 1;
  const cut = before > 0 ? before : bytes.indexOf(newline, middle) + 1;
  return cut > 0 && cut < bytes.length ? [bytes.subarray(0, cut), bytes.subarray(cut)] : [bytes];
}

/** Of many lines some at a time. */
function* inPieces(bytes: Uint8Array): Generator<Uint8Array> {
  let start = 0;
  while (start < bytes.length) {
    const last = bytes.lastIndexOf(newline, start + atOnce);
    const end = last < start || bytes.length - start <= atOnce ? bytes.length : last + 1;
    yield bytes.subarray(start, end);
    start = end;
  }
}
