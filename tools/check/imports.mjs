/** The import graph of the product's code, used by `npm run check` and the picture in the docs. Plain JavaScript, like check.mjs. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { parseSync } from '@swc/core';

/** The top-level folders with the product's code, and that of its tools. */
export const topRooms = [
  'authoring',
  'core',
  'playbooks',
  'workflows',
  'activities',
  'integrations',
  'testing',
  'service',
  'console',
  'tools',
];

/** Code files of a room, relative to `folder`, with `/`; none if there is no such room. */
export function programFiles(folder, room) {
  try {
    const files = readdirSync(join(folder, room), { recursive: true, encoding: 'utf8' });
    return files
      .filter((file) => /\.[mc]?[jt]sx?$/.test(file) && !/\.d\.[mc]?ts$/.test(file))
      .map((file) => posix.join(room, file.replaceAll('\\', '/')));
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}

/** What a source file imports and exports by name: `{ imports: { specifier, typeOnly }[], exports: { name, isType }[] }`. */
function readSource(source, { tsx = false } = {}) {
  const { body } = parseSync(source, { syntax: 'typescript', tsx, target: 'es2024' });
  const imports = [];
  const visit = (node) => {
    if (Array.isArray(node)) return node.forEach(visit);
    if (node === null || typeof node !== 'object') return;
    if (node.type === 'CallExpression' && node.callee.type === 'Import') {
      const target = node.arguments[0]?.expression;
      imports.push({ specifier: target?.type === 'StringLiteral' ? target.value : '<computed>', typeOnly: false });
    } else if (node.type === 'TsImportType') {
      imports.push({ specifier: node.argument.value, typeOnly: true });
    } else if (/^(Import|Export(Named|All)?)Declaration$/.test(node.type) && node.source) {
      imports.push({ specifier: node.source.value, typeOnly: node.typeOnly === true });
    }
    for (const value of Object.values(node)) visit(value);
  };
  visit(body);
  return { imports, exports: body.flatMap(exportsOf) };
}

function exportsOf(item) {
  if (item.type !== 'ExportDeclaration') return [];
  const { declaration } = item;
  const isType = /^Ts(Interface|TypeAlias)Declaration$/.test(declaration.type);
  const names = declaration.declarations?.map(({ id }) => id.value) ?? [(declaration.id ?? declaration.identifier)?.value];
  return names.filter((name) => name !== undefined).map((name) => ({ name, isType }));
}

/** Every code file under `rooms`, by path: `{ lines, imports, exports, uses }`; `uses` are the files of the tree that it imports. */
export function readTree(folder, rooms = topRooms) {
  const files = new Map(
    rooms
      .flatMap((room) => programFiles(folder, room))
      .map((file) => {
        const source = readFileSync(join(folder, file), 'utf8');
        const parts = /\.[mc]?tsx?$/.test(file)
          ? readSource(source, { tsx: file.endsWith('.tsx') })
          : { imports: plainImports(source), exports: [] };
        return [file, { ...parts, lines: source.split('\n').length - 1 }];
      }),
  );
  for (const [file, entry] of files) {
    const targets = entry.imports.filter(({ specifier }) => specifier.startsWith('.'));
    entry.uses = [...new Set(targets.map(({ specifier }) => posix.join(dirname(file), specifier)))].filter((target) =>
      files.has(target),
    );
  }
  return files;
}

/** Imports of plain JavaScript, one line each. */
function plainImports(source) {
  const found = source.matchAll(/^(?:import|export)\s[^;]*?from '([^']+)'/gms);
  return [...found].map(([, specifier]) => ({ specifier, typeOnly: false }));
}
