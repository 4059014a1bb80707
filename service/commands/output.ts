import { styleText } from 'node:util';
import { CommanderError } from 'commander';
import { FirebreakError } from '../../core/errors.ts';
import { visibleJson, visibleLine } from '../../core/text/visible-text.ts';
import { inSources } from '../process/source-places.ts';

type Style = Parameters<typeof styleText>[0];

/** Makes text safe for a terminal; control characters are escaped, as `\u{1b}`. */
export function printable(text: string): string {
  return visibleLine(text);
}

/** Colours text on a terminal, but never in a pipe or with NO_COLOR. */
export function styled(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

const severityStyles: Readonly<Record<string, Style>> = {
  critical: ['red', 'bold'],
  high: 'red',
  medium: 'yellow',
  low: 'cyan',
  info: 'dim',
};

export function severityText(severity: string, width = 0): string {
  const style = severityStyles[severity];
  const text = printable(severity).padEnd(width);
  return style === undefined ? text : styled(style, text);
}

export function bytesText(count: number): string {
  if (count < 1_024) return `${count} B`;
  return count < 1_048_576 ? `${(count / 1_024).toFixed(1)} KiB` : `${(count / 1_048_576).toFixed(0)} MiB`;
}

export function print(line = ''): void {
  process.stdout.write(`${line}\n`);
}

/** Prints one JSON value on one line, without characters that control a terminal. */
export function printJson(value: unknown): void {
  print(visibleJson(JSON.stringify(value)));
}

export interface Column<Row> {
  readonly title: string;
  readonly text: (row: Row) => string;
  /** Receives the padded text. */
  readonly style?: (row: Row, text: string) => string;
  /** Shown with `--output wide` only. */
  readonly isWide?: true;
}

/** How a list is printed: `wide` shows all columns, and cuts nothing. */
export type ListForm = 'table' | 'wide' | 'json';

interface TableOptions {
  /** Width in characters. Default: the terminal's. */
  readonly within?: number;
  readonly output?: ListForm;
}

/** Narrower text is no longer useful. */
const leastTextWidth = 20;
const indent = '    ';

/**
 * Prints rows in aligned columns with titles above. On a terminal, the last column is cut if a line would not fit. If too little of it would be left, it moves
 * below the others; if even those do not fit, each row becomes a list of its columns. Into a pipe everything is written, in columns.
 */
export function printTable<Row>(rows: readonly Row[], all: readonly Column<Row>[], options: TableOptions = {}): void {
  const isWide = options.output === 'wide';
  const within = options.within ?? (isWide ? Number.POSITIVE_INFINITY : terminalWidth());
  const columns = all.filter((column) => isWide || !column.isWide);
  const cells = rows.map((row) => columns.map((column) => printable(column.text(row))));
  const widths = columns.map(({ title }, index) => Math.max(title.length, ...cells.map((row) => row[index]?.length ?? 0)));
  const last = columns.length - 1;
  const before = widths.slice(0, last).reduce((sum, width) => sum + width + 2, 0);
  const isBelow = within - before < Math.min(leastTextWidth, widths[last] ?? 0);
  if (isBelow && before - 2 > within) {
    rows.forEach((row, place) => {
      if (place > 0) print();
      const styledText = (column: Column<Row>, text: string): string => column.style?.(row, text) ?? text;
      printFacts(columns.map((column, index) => [column.title, styledText(column, cells[place]?.[index] ?? '')]));
    });
    return;
  }
  const room = isBelow ? within - indent.length : within - before;
  const gap = isBelow ? `\n${indent}` : '  ';
  const lineOf = (texts: readonly string[], style: (text: string, index: number) => string): string => {
    const padded = texts.map((text, index) => style(index === last ? cut(text, room) : text.padEnd(widths[index] ?? 0), index));
    const others = padded.slice(0, last).join('  ');
    return [isBelow ? others.trimEnd() : others, ...padded.slice(last)].join(last === 0 ? '' : gap).trimEnd();
  };
  const titles = columns.map(({ title }) => title);
  print(
    styled(
      'dim',
      lineOf(titles, (text) => text),
    ),
  );
  rows.forEach((row, place) => {
    print(lineOf(cells[place] ?? [], (text, index) => columns[index]?.style?.(row, text) ?? text));
  });
}

function cut(text: string, room: number): string {
  return text.length > room ? `${text.slice(0, room - 1)}…` : text;
}

function terminalWidth(): number {
  // Some terminals report a width of 0.
  return (process.stdout.isTTY && process.stdout.columns) || Number.POSITIVE_INFINITY;
}

/** `name  value` lines, aligned. */
export function printFacts(facts: readonly (readonly [string, string])[]): void {
  const width = Math.max(...facts.map(([name]) => name.length));
  for (const [name, value] of facts) print(`${styled('dim', name.padEnd(width))}  ${value}`);
}

/** What a failed command prints on standard error, and its exit code: 2 for wrong usage, 1 for everything else. */
export interface Fault {
  readonly lines: readonly string[];
  readonly exitCode: number;
}

function known(error: FirebreakError, json: boolean): readonly string[] {
  if (json) return [visibleJson(JSON.stringify({ error: { code: error.code, detail: error.detail, remedy: error.remedy } }))];
  return [...error.message.split('\n').map(printable), `→ ${error.remedy}`];
}

/** The archive of the command line does not contain packages with platform-specific parts. */
function missingPackage(error: unknown): string | undefined {
  const isMissing = error instanceof Error && 'code' in error && /^(ERR_)?MODULE_NOT_FOUND$/.test(String(error.code));
  return isMissing ? /^Cannot find (?:package|module) '((?:@[\w.-]+\/)?[\w-][\w.-]*)/.exec(error.message)?.[1] : undefined;
}

/** Formats an error for people. Includes a stack only with FIREBREAK_DEBUG: otherwise nothing reveals where the machine keeps its files. */
export function faultOf(error: unknown, { json, debug }: { readonly json: boolean; readonly debug: boolean }): Fault {
  // Commander has already printed its message.
  if (error instanceof CommanderError) return { lines: [], exitCode: error.exitCode === 0 ? 0 : 2 };
  const stack =
    debug && error instanceof Error
      ? inSources(error.stack ?? '')
          .split('\n')
          .map(printable)
      : [];
  if (error instanceof FirebreakError)
    return { lines: [...known(error, json), ...stack], exitCode: error.code === 'FB_ERR_INCOMPLETE' ? 2 : 1 };
  const missing = missingPackage(error);
  const unexpected =
    missing === undefined
      ? new FirebreakError('FB_ERR_INTERNAL', 'the command failed unexpectedly; FIREBREAK_DEBUG=1 shows where')
      : new FirebreakError(
          'FB_ERR_PLATFORM_PART_MISSING',
          `this needs ${missing}, which is not installed here: use the npm package or the image`,
        );
  return { lines: [...known(unexpected, json), ...stack], exitCode: 1 };
}
