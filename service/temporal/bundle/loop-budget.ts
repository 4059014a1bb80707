import { SourceMap } from 'node:module';
import { type Node, parse } from 'acorn';
import { withTurns } from '../../packs/turns/turns.ts';

/** The path of a shipped playbook's source from its `playbooks` folder on; undefined for the engine's own code and packages. */
export function playbookFile(source: string): string | undefined {
  const at = source.lastIndexOf('/playbooks/');
  return at < 0 || source.includes('/node_modules/') || !/\.[jt]s$/.test(source) ? undefined : source.slice(at + 1);
}

/**
 * Applies `withTurns` to the playbooks in a bundle, with file and line of the author's source. `code` ends with its source map, as the bundler writes it.
 *
 * @throws Error as `withTurns` does.
 */
export function withLoopBudget(code: string): string {
  const map = sourceMapOf(code);
  if (!map) return code;
  const program = parse(code, { ecmaVersion: 'latest', sourceType: 'script', locations: true });
  return withTurns(code, program, (node) => placeOf(map, node));
}

function placeOf(map: SourceMap, { loc }: Node): string | undefined {
  if (!loc) return undefined;
  const entry = map.findEntry(loc.start.line - 1, loc.start.column);
  if (!('originalSource' in entry) || typeof entry.originalSource !== 'string') return undefined;
  const file = playbookFile(entry.originalSource);
  return file === undefined ? undefined : `${file}:${entry.originalLine + 1}`;
}

const mapComment = /\n\/\/# sourceMappingURL=data:application\/json;[^,]*base64,([A-Za-z0-9+/=]+)\s*$/;

/** Undefined if the code has none. */
export function sourceMapOf(code: string): SourceMap | undefined {
  const [, text] = mapComment.exec(code) ?? [];
  return text === undefined ? undefined : new SourceMap(JSON.parse(Buffer.from(text, 'base64').toString('utf8')));
}
