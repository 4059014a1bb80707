import { playbookFile, sourceMapOf } from './loop-budget.ts';

/** Part of a source map: where in the bundle a line of an author's source begins. Lines and columns from 0. */
interface Segment {
  readonly column: number;
  readonly source: number;
  readonly line: number;
}

const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const digitValues = new Map([...digits].map((digit, value) => [digit, value]));

/** Which lines of a piece of code come from which author's source: by line of the code, with sources by index. */
export interface PlaybookLines {
  readonly sources: readonly string[];
  readonly lines: readonly (readonly Segment[])[];
}

/**
 * Keeps only the lines of playbooks from a bundle's source map: an error thrown by a body names its author's file and line, and nothing else is looked up. A
 * hundred playbooks take some ten kilobytes in each thread. Files are named from their `playbooks` folder on, so that the map, and with it the build's id, is
 * the same wherever the bundle is made.
 *
 * @param code as the bundler writes it, with its own map; anything inserted into its lines later must not add lines.
 */
export function linesOfPlaybooks(code: string): PlaybookLines {
  const { sources = [], mappings = '' } = sourceMapOf(code)?.payload ?? {};
  const names: string[] = [];
  const indexOf = new Map<number, number>();
  for (const [at, source] of sources.entries()) {
    const file = playbookFile(source);
    if (file === undefined) continue;
    indexOf.set(at, names.length);
    names.push(file);
  }
  const lines = decoded(mappings).map((segments) =>
    eachLineOnce(
      segments.flatMap((segment) => {
        const source = indexOf.get(segment.source);
        return source === undefined ? [] : [{ ...segment, source }];
      }),
    ),
  );
  return { sources: names, lines };
}

/** For code generated from one source, using its map. */
export function linesOfSource(file: string, mappings: string): PlaybookLines {
  return { sources: [file], lines: decoded(mappings).map(eachLineOnce) };
}

/** Concatenates pieces of code; what stands between them belongs to no author. */
export function joinedLines(pieces: readonly { readonly text: string; readonly own?: PlaybookLines }[]): PlaybookLines {
  const sources: string[] = [];
  const lines: (readonly Segment[])[] = [];
  for (const { text, own } of pieces) {
    const first = sources.length;
    sources.push(...(own?.sources ?? []));
    const ownLines = text.split('\n').map((_, at) => own?.lines[at] ?? []);
    lines.push(...ownLines.map((segments) => segments.map((segment) => ({ ...segment, source: segment.source + first }))));
  }
  return { sources, lines };
}

/** Returns the code with these lines as its source map, replacing the existing one. */
export function withLines(code: string, { sources, lines }: PlaybookLines): string {
  const map = JSON.stringify({ version: 3, sources, names: [], mappings: encoded(lines) });
  return `${withoutMap(code)}\n//# sourceMappingURL=data:application/json;base64,${Buffer.from(map).toString('base64')}\n`;
}

/** Splits code made by `withLines` into its parts. */
export function partsOf(code: string): { readonly text: string; readonly own: PlaybookLines } {
  const { sources = [], mappings = '' } = sourceMapOf(code)?.payload ?? {};
  return { text: withoutMap(code), own: { sources, lines: decoded(mappings) } };
}

function withoutMap(code: string): string {
  return code.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '');
}

/** Inserting code into a line shifts its columns, so the first segment of a line starts at column 0. */
function eachLineOnce(segments: readonly Segment[]): readonly Segment[] {
  const changes = segments.filter((segment, at) => {
    const before = segments[at - 1];
    return before?.line !== segment.line || before.source !== segment.source;
  });
  return changes.map((segment, at) => (at === 0 ? { ...segment, column: 0 } : segment));
}

/** https://tc39.es/ecma426/#sec-mappings: lines separated by `;`, segments by `,`, numbers relative to the previous one. */
function decoded(mappings: string): readonly (readonly Segment[])[] {
  let [source, line] = [0, 0];
  return mappings.split(';').map((text) => {
    let column = 0;
    return text.split(',').flatMap((segment) => {
      const [columns = 0, sources, lines = 0] = numbersIn(segment);
      column += columns;
      if (sources === undefined) return [];
      source += sources;
      line += lines;
      return [{ column, source, line }];
    });
  });
}

function encoded(all: readonly (readonly Segment[])[]): string {
  let [source, line] = [0, 0];
  // Lines after the last mapped one are omitted.
  const lines = all.slice(0, all.findLastIndex(({ length }) => length > 0) + 1).map((segments) => {
    let column = 0;
    const texts = segments.map((segment) => {
      const text = [segment.column - column, segment.source - source, segment.line - line, 0].map(digitsOf).join('');
      ({ column, source, line } = segment);
      return text;
    });
    return texts.join(',');
  });
  return lines.join(';');
}

/** Base 64 with the sign in the lowest bit, five bits per digit, the sixth as the continuation bit. */
function numbersIn(segment: string): readonly number[] {
  const numbers: number[] = [];
  let [value, shift] = [0, 0];
  for (const digit of segment) {
    const bits = digitValues.get(digit) ?? 0;
    value += (bits & 31) << shift;
    shift += 5;
    if ((bits & 32) !== 0) continue;
    numbers.push((value & 1) === 1 ? -(value >>> 1) : value >>> 1);
    [value, shift] = [0, 0];
  }
  return numbers;
}

function digitsOf(number: number): string {
  let rest = number < 0 ? (-number << 1) | 1 : number << 1;
  let text = '';
  do {
    const bits = rest & 31;
    rest >>>= 5;
    text += digits.charAt(rest > 0 ? bits | 32 : bits);
  } while (rest > 0);
  return text;
}
