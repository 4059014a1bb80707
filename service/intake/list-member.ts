import { elementsOf, endOfString, endOfValue, type Span, skipBlank } from './split.ts';

/**
 * The elements of the list that an object holds under `name`, each with its own bytes; of several such fields the last counts, as
 * it does for `JSON.parse`. Undefined where there is none.
 *
 * @param bytes one JSON object, known to be well-formed
 */
export function listMember(bytes: Uint8Array, name: string): readonly Span[] | undefined {
  const end = bytes.length;
  let at = skipBlank(bytes, 0, end);
  if (bytes[at] !== 0x7b) return undefined;
  let found: readonly Span[] | undefined;
  at = skipBlank(bytes, at + 1, end);
  while (at < end && bytes[at] === 0x22) {
    const keyEnd = endOfString(bytes, at, end);
    if (keyEnd < 0) return undefined;
    const key: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(at, keyEnd)));
    // The colon.
    const start = skipBlank(bytes, skipBlank(bytes, keyEnd, end) + 1, end);
    const isList = bytes[start] === 0x5b;
    const stop = valueEnd(bytes, start, end);
    if (stop === undefined) return undefined;
    if (key === name) found = isList ? elementsOf(bytes, start + 1, stop - 1) : undefined;
    at = skipBlank(bytes, skipBlank(bytes, stop, end) + 1, end);
  }
  return found;
}

/** Words and numbers end at the next separator, which may be the object's own bracket. */
function valueEnd(bytes: Uint8Array, start: number, end: number): number | undefined {
  const first = bytes[start];
  if (first === 0x22 || first === 0x7b || first === 0x5b) {
    const stop = endOfValue(bytes, start, end);
    return typeof stop === 'number' ? stop : undefined;
  }
  let at = start;
  while (at < end && bytes[at] !== 0x2c && bytes[at] !== 0x7d) at += 1;
  return at;
}
