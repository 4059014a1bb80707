import { posix } from 'node:path';
import { transformSync } from '@swc/core';
import { type Node, parse } from 'acorn';
import { packImports } from '../../packs/pack-rules.ts';
import { visit, withoutTypes } from '../../packs/syntax.ts';
import { withTurns } from '../../packs/turns/turns.ts';
import { packsPart } from './bundle-stage.ts';
import { joinedLines, linesOfSource, type PlaybookLines, partsOf, withLines } from './playbook-lines.ts';

/** The code of a pack, as it goes into a build. */
interface PackCode {
  readonly name: string;
  /** Path within the pack of the module whose default export is the pack. */
  readonly main: string;
  /** Path → source. Only what incidents run, not what the pack's own actions do. */
  readonly files: ReadonlyMap<string, string>;
}

/**
 * Returns the build of an engine and packs: the engine's bundle unchanged, followed by a function that gives each incident a fresh copy of the packs. A changed
 * pack therefore costs only what its own code costs, some tenths of a second, and the same code gives the same build on every machine.
 *
 * @param engine as written by `bundleWorkflows`.
 * @throws Error with file and line, for code that cannot be parsed or may run for ever.
 */
export function withPacks(engine: string, packs: readonly PackCode[]): string {
  const modules = packs.flatMap((pack) => [...pack.files].map(([file, source]) => moduleOf(pack, file, source)));
  const pieces: readonly { readonly text: string; readonly own?: PlaybookLines }[] = [
    partsOf(engine),
    { text: `const ${packsPart} = Object.freeze((doors) => {\n'use strict';\nconst modules = {` },
    ...modules.flatMap(({ id, imports, text, own }) => [
      { text: `${JSON.stringify(id)}: { imports: ${JSON.stringify(imports)}, run: (exports, require) => {` },
      { text, own },
      { text: '} },' },
    ]),
    { text: loader(packs.map(({ name, main }) => `${name}/${main}`)) },
  ];
  return withLines(pieces.map(({ text }) => text).join('\n'), joinedLines(pieces));
}

/** A module's exports exist as soon as it begins to run: modules may import each other in a cycle. */
function loader(mains: readonly string[]): string {
  return `};
const loaded = new Map();
const load = (id) => {
  if (loaded.has(id)) return loaded.get(id);
  const exports = {};
  loaded.set(id, exports);
  const { imports, run } = modules[id];
  run(exports, (name) => doors[name] ?? load(imports[name]));
  return exports;
};
return ${JSON.stringify(mains)}.map((main) => load(main).default);
});`;
}

interface PackModule {
  readonly id: string;
  /** Specifier as written → id. */
  readonly imports: Readonly<Record<string, string>>;
  readonly text: string;
  readonly own: PlaybookLines;
}

function moduleOf({ name: pack, files }: PackCode, file: string, source: string): PackModule {
  const { program, code } = parsed(file, source);
  const places = withTurns(code, program, ({ loc }) => `${file}:${loc?.start.line ?? 1}`);
  const made = transformSync(places, {
    filename: file,
    configFile: false,
    swcrc: false,
    isModule: true,
    sourceMaps: true,
    inlineSourcesContent: false,
    jsc: { parser: { syntax: 'ecmascript' }, target: 'es2024' },
    // Exports of a door or a pack file are used as they are: none of them is CommonJS.
    module: { type: 'commonjs', importInterop: 'none', ignoreDynamic: false },
  });
  const { mappings }: { readonly mappings: string } = JSON.parse(made.map ?? '{ "mappings": "" }');
  return {
    id: `${pack}/${file}`,
    imports: importsOf(program, { pack, file, files }),
    text: made.code,
    own: linesOfSource(file, mappings),
  };
}

/** Types are replaced by blanks, so that every position stays where its author wrote it. */
function parsed(file: string, source: string): { readonly program: Node; readonly code: string } {
  try {
    const code = file.endsWith('.ts') ? withoutTypes(source) : source;
    return { code, program: parse(code, { ecmaVersion: 'latest', sourceType: 'module', locations: true }) };
  } catch (error) {
    throw new Error(`${file}: it cannot be read: ${error instanceof Error ? error.message : 'no code'}`);
  }
}

/** @throws Error naming an import that cannot be resolved. */
function importsOf(
  program: Node,
  { pack, file, files }: { readonly pack: string; readonly file: string; readonly files: PackCode['files'] },
): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  visit(program, (node) => {
    const source = 'source' in node ? node.source : undefined;
    if (typeof source !== 'object' || source === null || !('value' in source) || typeof source.value !== 'string') return;
    const { value: name } = source;
    if (packImports.some((door) => door === name)) return;
    const path = posix.join(posix.dirname(file), name);
    if (!name.startsWith('.') || !files.has(path))
      throw new Error(`${file}:${node.loc?.start.line ?? 1}: a playbook cannot import ${name}`);
    found[name] = `${pack}/${path}`;
  });
  return found;
}
