import { existsSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { projectRoot } from './project-root.ts';

/** Maps for one stack; each holds the places of thousands of lines, and our errors are rare. */
type Maps = Map<string, SourceMap | undefined>;

const framePlace = /((?:file:\/\/)?\/[^\s():]+\.js):(\d+):(\d+)/;

/**
 * Returns a stack with places in the sources instead of the built files, if their map exists. Node does this itself with `--enable-source-maps`, but for each
 * error whose stack is read, and keeps all maps in memory.
 */
export function inSources(stack: string): string {
  const maps: Maps = new Map();
  return stack
    .split('\n')
    .map((line) =>
      /^\s+at /.test(line) ? line.replace(framePlace, (place, file, ...at) => sourceOf(file, at, maps) ?? place) : line,
    )
    .join('\n');
}

function sourceOf(written: string, [line, column]: readonly unknown[], maps: Maps): string | undefined {
  const file = written.startsWith('file:') ? fileURLToPath(written) : written;
  const origin = mapOf(file, maps)?.findOrigin(Number(line), Number(column));
  if (!origin || !('fileName' in origin)) return undefined;
  const source = relative(projectRoot(), join(dirname(file), origin.fileName));
  return `${source}:${origin.lineNumber}:${origin.columnNumber}`;
}

function mapOf(file: string, maps: Maps): SourceMap | undefined {
  if (!maps.has(file))
    maps.set(file, existsSync(`${file}.map`) ? new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8'))) : undefined);
  return maps.get(file);
}
