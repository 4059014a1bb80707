import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { type Module, type ModuleItem, parseSync } from '@swc/core';
import { projectRoot } from '../../service/process/project-root.ts';

/** A name and where it is declared; `file` is a package's name if it is not ours. */
export interface Place {
  readonly file: string;
  readonly name: string;
}

interface DeclarationFile {
  /** Name → its text, and the names used in it. */
  readonly declared: ReadonlyMap<string, { readonly text: string; readonly uses: readonly Place[] }>;
  readonly exported: ReadonlyMap<string, Place>;
  /** Files whose exports it re-exports completely. */
  readonly all: readonly string[];
}

export type FileOf = (path: string) => DeclarationFile;

/** The `.d.ts` files of a folder, without comments, by the path of the file that they declare. */
function declarationsIn(folder: string): FileOf {
  const files = new Map<string, DeclarationFile>();
  return (path) => {
    const known = files.get(path) ?? readDeclarations(folder, path);
    files.set(path, known);
    return known;
  };
}

/** The places and everything that they are made of, each once. */
export function madeOf(places: readonly Place[], fileOf: FileOf): readonly Place[] {
  const seen = new Map(places.map((place) => [keyOf(place), place]));
  const open = [...seen.values()];
  for (let next = open.pop(); next; next = open.pop())
    for (const use of textOf(next, fileOf)?.uses ?? []) {
      const place = declaredAt(use, fileOf);
      if (!place || seen.has(keyOf(place))) continue;
      seen.set(keyOf(place), place);
      open.push(place);
    }
  return [...seen.values()];
}

export function textOf({ file, name }: Place, fileOf: FileOf) {
  return isOurs(file) ? fileOf(file).declared.get(name) : undefined;
}

export function keyOf({ file, name }: Place): string {
  return `${file} ${name}`;
}

function isOurs(file: string): boolean {
  return file.endsWith('.ts');
}

/** Where a name is declared, following re-exports; undefined for names from packages. */
function declaredAt({ file, name }: Place, fileOf: FileOf): Place | undefined {
  if (!isOurs(file)) return undefined;
  const { declared, exported, all } = fileOf(file);
  if (declared.has(name)) return { file, name };
  const further = exported.get(name);
  if (further) return declaredAt(further, fileOf);
  return all.map((other) => declaredAt({ file: other, name }, fileOf)).find((place) => place !== undefined);
}

export function exportsOf(file: string, fileOf: FileOf): ReadonlyMap<string, Place> {
  const { exported, all } = fileOf(file);
  return new Map([
    ...all.flatMap((other) => [...exportsOf(other, fileOf)]),
    ...[...exported].map(([name, place]): [string, Place] => [name, declaredAt(place, fileOf) ?? place]),
  ]);
}

function readDeclarations(folder: string, file: string): DeclarationFile {
  const source = readFileSync(join(folder, file.replace(/\.ts$/, '.d.ts')), 'utf8').trimStart();
  const { body, span } = parseSync(source, { syntax: 'typescript', target: 'es2024' });
  const bytes = Buffer.from(source);
  // The parser's positions continue from the previous parse.
  const text = ({ span: { start, end } }: Pick<Module, 'span'>): string =>
    bytes
      .subarray(start - span.start, end - span.start)
      .toString('utf8')
      .replace(/^export /, '')
      .replace(/^declare /, '')
      // Below, a type is referred to by name only: the location of its file does not matter.
      .replaceAll(/import\("[^"]*"\)\./g, '');
  const targetOf = (specifier: string): string => (specifier.startsWith('.') ? posix.join(dirname(file), specifier) : specifier);
  const imported = new Map<string, Place>();
  const exported = new Map<string, Place>();
  const all: string[] = [];
  const items = new Map<string, ModuleItem>();
  for (const item of body) {
    if (item.type === 'ImportDeclaration')
      for (const one of item.specifiers)
        imported.set(one.local.value, {
          file: targetOf(item.source.value),
          name: one.type === 'ImportSpecifier' ? (one.imported?.value ?? one.local.value) : '*',
        });
    else if (item.type === 'ExportAllDeclaration') all.push(targetOf(item.source.value));
    else if (item.type === 'ExportNamedDeclaration') {
      for (const one of item.specifiers) {
        if (one.type !== 'ExportSpecifier') continue;
        const name = one.orig.value;
        const from = item.source ? { file: targetOf(item.source.value), name } : (imported.get(name) ?? { file, name });
        exported.set(one.exported?.value ?? name, from);
      }
    } else {
      const declaration = item.type === 'ExportDeclaration' ? item.declaration : item;
      for (const name of namesOf(declaration)) {
        items.set(name, item);
        if (item.type === 'ExportDeclaration') exported.set(name, { file, name });
      }
    }
  }
  const declared = new Map(
    [...items].map(([name, item]) => {
      const uses = [...usedIn(item, targetOf)].map((use) =>
        use.file === '' ? (imported.get(use.name) ?? { ...use, file }) : use,
      );
      return [name, { text: text(item), uses }];
    }),
  );
  return { declared, exported, all };
}

function namesOf(node: object): readonly string[] {
  if ('declarations' in node && Array.isArray(node.declarations))
    return node.declarations.flatMap((one: unknown) => nameIn(one, 'id'));
  const named = nameIn(node, 'id');
  return named.length > 0 ? named : nameIn(node, 'identifier');
}

function nameIn(node: unknown, field: string): readonly string[] {
  if (!isRecord(node)) return [];
  const at = node[field];
  return isRecord(at) && typeof at.value === 'string' ? [at.value] : [];
}

/** Every name used in it; `file` is empty for a name from its own file. */
function* usedIn(node: unknown, targetOf: (specifier: string) => string): Generator<Place> {
  if (Array.isArray(node)) {
    for (const one of node) yield* usedIn(one, targetOf);
    return;
  }
  if (!isRecord(node)) return;
  if (node.type === 'TsImportType') {
    const [specifier] = nameIn(node, 'argument');
    const [name] = nameIn(node, 'qualifier');
    if (specifier !== undefined && name !== undefined) yield { file: targetOf(specifier), name };
  }
  if (node.type === 'Identifier' && typeof node.value === 'string') yield { file: '', name: node.value };
  // The name of a property is not the name of a type.
  const isProperty = node.type === 'TsPropertySignature' && node.computed === false;
  for (const [field, value] of Object.entries(node)) if (!(isProperty && field === 'key')) yield* usedIn(value, targetOf);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** Passes the tree's declarations, as the compiler writes them, to `use`; their folder is removed afterwards. */
export function withDeclarations<T>(use: (fileOf: FileOf) => T): T {
  const root = projectRoot();
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-api-'));
  try {
    const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    // `npm run check` checks all types: here the declarations are only written.
    const flags = ['--emitDeclarationOnly', '--noCheck', '--sourceMap', 'false', '--removeComments', '--outDir', folder];
    const result = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json', ...flags], {
      cwd: root,
      encoding: 'utf8',
    });
    if (result.status !== 0) throw new Error(`The declarations could not be made:\n${result.stdout}${result.stderr}`);
    return use(declarationsIn(folder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
