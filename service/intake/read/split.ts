/** Byte offsets at which one JSON value of a body begins and ends. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

type Split =
  | { readonly ok: true; readonly items: readonly ByteRange[] }
  | { readonly ok: false; readonly reason: string; readonly status: 400 | 413 };

/** Deeper than any sensor nests, yet parsing and walking stay cheap. */
export const deepest = 64;
/** More than any sensor sends at once, and the most that one answer can list. */
export const mostItems = 20_000;

const quote = 0x22;
const backslash = 0x5c;
const newline = 0x0a;
const comma = 0x2c;
const openBracket = 0x5b;
const openBrace = 0x7b;

/**
 * Finds the items of a body without parsing them: one value, a list of values, or consecutive values with or without line breaks. One bad item therefore fails
 * alone, and each item keeps its own bytes. Depth and number are bounded before any parsing.
 */
export function splitItems(bytes: Uint8Array): Split {
  const whole = scan(bytes, { start: 0, end: bytes.length });
  if (whole.ok || whole.status === 413) return whole;
  // One broken line must not make the others fail.
  const lines = linesOf(bytes);
  if (lines.length < 2) return whole;
  const items: ByteRange[] = [];
  for (const line of lines) {
    const split = scan(bytes, line);
    if (!split.ok && split.status === 413) return split;
    if (split.ok) items.push(...split.items);
    else items.push(line);
    if (items.length > mostItems) return tooMany;
  }
  // A single value that spans several lines is broken as a whole: its lines are not values.
  return items.some((item) => looksWhole(bytes, item)) ? { ok: true, items } : whole;
}

const tooMany: Split = { ok: false, status: 413, reason: `more than ${mostItems} items in one body` };
const tooDeep: Split = { ok: false, status: 413, reason: `nested deeper than ${deepest} levels` };

function scan(bytes: Uint8Array, { start, end }: ByteRange): Split {
  const items: ByteRange[] = [];
  let at = skipBlank(bytes, start, end);
  while (at < end) {
    const text = endOfText(bytes, at, end);
    if (text > at) {
      if (!isPrefix(bytes.subarray(at, text))) items.push({ start: at, end: text });
      if (items.length > mostItems) return tooMany;
      at = skipBlank(bytes, text, end);
      continue;
    }
    const value = endOfValue(bytes, at, end);
    if (typeof value !== 'number') return value;
    if (bytes[at] === openBracket) {
      const elements = elementsOf(bytes, at + 1, value - 1);
      items.push(...elements);
    } else {
      items.push({ start: at, end: value });
    }
    if (items.length > mostItems) return tooMany;
    at = skipBlank(bytes, value, end);
    // Some senders send lists without brackets; a comma between values is ignored.
    if (bytes[at] === comma) at = skipBlank(bytes, at + 1, end);
  }
  return { ok: true, items };
}

/**
 * Returns the index after text that is not a value: everything up to the next object or the end of the line is one item, not one item per word. `from`: where a
 * value would begin.
 */
function endOfText(bytes: Uint8Array, from: number, end: number): number {
  const first = bytes[from];
  if (first === openBrace || first === quote || (first === openBracket && !isKubectlPrefix(bytes, from))) return from;
  let at = from;
  while (at < end && bytes[at] !== openBrace && bytes[at] !== newline) at += 1;
  return at;
}

/** `kubectl logs --prefix` writes `[pod/NAME/CONTAINER] ` before each line. */
function isKubectlPrefix(bytes: Uint8Array, from: number): boolean {
  return [...'[pod/'].every((char, place) => bytes[from + place] === char.charCodeAt(0));
}

const longestPrefix = 640;
/** The kubectl prefix, or what a container runtime writes before each line: time, stream, and whether the line is complete. */
const prefix = /^(?:\[pod\/[^\]\s]+\]|\S{1,64} (?:stdout|stderr) [FP]) *$/;

/** Returns whether the text before an object only says where its line comes from. */
function isPrefix(text: Uint8Array): boolean {
  return text.length <= longestPrefix && prefix.test(Buffer.from(text).toString('latin1'));
}

/** Returns the items between a list's brackets, which are known to be balanced. */
export function elementsOf(bytes: Uint8Array, start: number, end: number): readonly ByteRange[] {
  const items: ByteRange[] = [];
  let at = skipBlank(bytes, start, end);
  while (at < end && items.length <= mostItems) {
    let stop = at;
    while (stop < end && bytes[stop] !== comma) {
      const value = endOfValue(bytes, stop, end);
      stop = typeof value === 'number' ? skipBlank(bytes, value, end) : end;
    }
    items.push({ start: at, end: stop });
    at = skipBlank(bytes, stop + 1, end);
  }
  return items;
}

/** Returns the index after the value that begins at `from`. Words and numbers end at the next separator. */
export function endOfValue(bytes: Uint8Array, from: number, end: number): number | Split {
  let depth = 0;
  let at = from;
  while (at < end) {
    const byte = bytes[at] ?? 0;
    if (byte === quote) {
      at = endOfString(bytes, at, end);
      if (at < 0) return { ok: false, status: 400, reason: 'a string is not closed' };
      if (depth === 0) return at;
      continue;
    }
    if (byte === openBrace || byte === openBracket) {
      depth += 1;
      if (depth > deepest) return tooDeep;
    } else if (byte === 0x7d || byte === 0x5d) {
      depth -= 1;
      if (depth < 0) return { ok: false, status: 400, reason: `one bracket too many at byte ${at}` };
      if (depth === 0) return at + 1;
    } else if (depth === 0 && (isBlank(byte) || byte === comma) && at > from) {
      return at;
    }
    at += 1;
  }
  return depth === 0 ? at : { ok: false, status: 400, reason: 'the JSON ends before its brackets are closed' };
}

export function endOfString(bytes: Uint8Array, from: number, end: number): number {
  let at = from + 1;
  while (at < end) {
    const byte = bytes[at];
    if (byte === quote) return at + 1;
    at += byte === backslash ? 2 : 1;
  }
  return -1;
}

function isBlank(byte: number): boolean {
  // 0x1e separates records in RFC 7464 sequences.
  return byte === 0x20 || byte === newline || byte === 0x0d || byte === 0x09 || byte === 0x1e;
}

/** Also skips a byte order mark at the very start. */
export function skipBlank(bytes: Uint8Array, from: number, end: number): number {
  let at = from === 0 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : from;
  while (at < end && isBlank(bytes[at] ?? 0)) at += 1;
  return at;
}

function linesOf(bytes: Uint8Array): readonly ByteRange[] {
  const lines: ByteRange[] = [];
  let start = 0;
  while (start < bytes.length && lines.length <= mostItems) {
    const found = bytes.indexOf(newline, start);
    const end = found < 0 ? bytes.length : found;
    const first = skipBlank(bytes, start, end);
    if (first < end) lines.push({ start: first, end });
    start = end + 1;
  }
  return lines;
}

function looksWhole(bytes: Uint8Array, { start, end }: ByteRange): boolean {
  let last = end - 1;
  while (last > start && isBlank(bytes[last] ?? 0)) last -= 1;
  return bytes[start] === openBrace && bytes[last] === 0x7d;
}
