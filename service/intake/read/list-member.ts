import { type ByteRange, elementsOf, endOfString, endOfValue, skipBlank } from './split.ts';

/**
 * Returns the elements of the list that an object holds under `name`, each as its range of bytes; if there are several such fields the last one counts, as for
 * `JSON.parse`. Undefined if there is none.
 *
 * @param bytes one JSON object, known to be well-formed
 */
export function listMember(bytes: Uint8Array, name: string): readonly ByteRange[] | undefined {
  const member = membersOf(bytes)?.findLast(({ key }) => key === name);
  return member !== undefined && bytes[member.start] === openBracket
    ? elementsOf(bytes, member.start + 1, member.end - 1)
    : undefined;
}

/** The text of an object without the content of its long lists: enough to recognise the sensor without reading everything. Undefined if it is not an object. */
export function outlineOf(bytes: Uint8Array): string | undefined {
  const members = membersOf(bytes)?.map(({ key, start, end }) => {
    const isLongList = bytes[start] === openBracket && end - start > longList;
    return `${JSON.stringify(key)}:${isLongList ? '[]' : new TextDecoder().decode(bytes.subarray(start, end))}`;
  });
  return members && `{${members.join(',')}}`;
}

const openBracket = 0x5b;
const longList = 4_096;

interface Member extends ByteRange {
  readonly key: unknown;
}

function membersOf(bytes: Uint8Array): readonly Member[] | undefined {
  const end = bytes.length;
  let at = skipBlank(bytes, 0, end);
  if (bytes[at] !== 0x7b) return undefined;
  const found: Member[] = [];
  at = skipBlank(bytes, at + 1, end);
  while (at < end && bytes[at] === 0x22) {
    const keyEnd = endOfString(bytes, at, end);
    if (keyEnd < 0) return undefined;
    const key: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(at, keyEnd)));
    // Skips the colon.
    const start = skipBlank(bytes, skipBlank(bytes, keyEnd, end) + 1, end);
    const stop = valueEnd(bytes, start, end);
    if (stop === undefined) return undefined;
    found.push({ key, start, end: stop });
    at = skipBlank(bytes, skipBlank(bytes, stop, end) + 1, end);
  }
  return found;
}

/** Literals and numbers end at the next separator, which may be the object's own bracket. */
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
