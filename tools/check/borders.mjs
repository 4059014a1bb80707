/** Holds the borders between the rooms: reads every import of the production code and says which are not allowed. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, posix, relative } from 'node:path';
import { parseSync } from '@swc/core';
import { root } from '../setup/setup.mjs';

/**
 * What each room may import besides itself: other rooms, and packages by name (`node:` stands for all of Node's own).
 * `schemaPackages` only in `*.schema.ts` and `*.params.ts`, whose types alone reach the workflow sandbox; of `typePackages` only types.
 */
const rooms = {
  core: { rooms: [], packages: ['@noble/hashes', 'canonicalize'], schemaPackages: ['zod'] },
  playbooks: { rooms: ['core'], packages: [], schemaPackages: ['zod'] },
  workflows: { rooms: ['core', 'playbooks'], packages: ['@temporalio/workflow', '@temporalio/common'] },
  activities: {
    rooms: ['core', 'integrations'],
    packages: ['@temporalio/activity', '@temporalio/common', 'zod', 'node:'],
    typePackages: ['@kubernetes/client-node'],
  },
  integrations: { rooms: ['core'], forbidden: ['@temporalio'], eachFolderAlone: true },
  service: { rooms: ['core', 'playbooks', 'workflows', 'activities', 'integrations'] },
  tools: { rooms: ['core', 'playbooks', 'activities', 'integrations', 'service'] },
};

/** The demo starts the stand-ins as a process of its own; nothing else knows where they are. */
const knowsStandIns = 'tools/demo/processes.ts';

/** `firebreak dev` and `firebreak demo`, and the launcher's look at Node's version. */
const usesTools = [
  'service/cli.mjs',
  'service/cli.ts',
  'service/commands/dev.ts',
  'service/commands/demo.ts',
  'service/commands/main.ts',
];

/** All imports that cross a border, as `{ file, specifier, reason }`, files relative to `folder`. */
export function borderFaults(folder) {
  return Object.keys(rooms).flatMap((room) => [
    ...programFiles(folder, room).flatMap((file) => standInFault(folder, room, file)),
    ...typeScriptFiles(folder, room).flatMap((file) =>
      importsOf(readFileSync(join(folder, file), 'utf8')).flatMap(({ specifier, typeOnly }) => {
        const reason = specifier.startsWith('.')
          ? relativeFault(room, file, specifier)
          : packageFault({ room, file, specifier, typeOnly });
        return reason ? [{ file, specifier, reason }] : [];
      }),
    ),
  ]);
}

/** Also by a path that is put together at run time: a word of its own in quotes, or a part of a path. */
function standInFault(folder, room, file) {
  if (file === knowsStandIns || !/(['"`/\\])fakes(['"`/\\])/.test(readFileSync(join(folder, file), 'utf8'))) return [];
  return [{ file, specifier: 'fakes', reason: `${room} may not name the stand-ins’ folder` }];
}

/** Declarations beside JavaScript import nothing, and are no programs that could be parsed as one. */
function typeScriptFiles(folder, room) {
  return programFiles(folder, room).filter((file) => /\.[mc]?tsx?$/.test(file));
}

function programFiles(folder, room) {
  try {
    const files = readdirSync(join(folder, room), { recursive: true, encoding: 'utf8' });
    return files
      .filter((file) => /\.[mc]?[jt]sx?$/.test(file) && !/\.d\.[mc]?ts$/.test(file) && file !== 'check/borders.mjs')
      .map((file) => posix.join(room, file.replaceAll('\\', '/')));
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}

function relativeFault(room, file, specifier) {
  const target = posix.join(dirname(file), specifier);
  const [targetRoom, ...rest] = target.split('/');
  const rule = rooms[room];
  if (usesTools.includes(file) && targetRoom === 'tools') return undefined;
  if (targetRoom !== room) return rule.rooms.includes(targetRoom) ? undefined : `${room} may not import ${targetRoom}`;
  if (!rule.eachFolderAlone || rest.length < 2) return undefined;
  const own = file.split('/')[1];
  return rest[0] === own ? undefined : `${room}/${own} may not import another integration, ${rest[0]}`;
}

function packageFault({ room, file, specifier, typeOnly }) {
  const { packages, forbidden = [], schemaPackages = [], typePackages = [] } = rooms[room];
  const isIn = (list) => list.some((name) => specifier === name || specifier.startsWith(name.endsWith(':') ? name : `${name}/`));
  if (isIn(forbidden)) return `${room} may not import ${specifier}`;
  if (packages === undefined || isIn(packages) || (typeOnly && isIn(typePackages))) return undefined;
  if (isIn(schemaPackages)) {
    return /\.(schema|params)\.ts$/.test(basename(file)) ? undefined : `only *.schema.ts and *.params.ts may import ${specifier}`;
  }
  return `${room} may not import ${specifier}`;
}

/** Static, re-exporting, type-only and dynamic imports. A dynamic one whose target is computed counts as `<computed>`. */
function importsOf(source) {
  const found = [];
  const visit = (node) => {
    if (Array.isArray(node)) return node.forEach(visit);
    if (node === null || typeof node !== 'object') return;
    if (node.type === 'CallExpression' && node.callee.type === 'Import') {
      const target = node.arguments[0]?.expression;
      found.push({ specifier: target?.type === 'StringLiteral' ? target.value : '<computed>', typeOnly: false });
    } else if (node.type === 'TsImportType') {
      found.push({ specifier: node.argument.value, typeOnly: true });
    } else if (/^(Import|Export(Named|All)?)Declaration$/.test(node.type) && node.source) {
      found.push({ specifier: node.source.value, typeOnly: node.typeOnly === true });
    }
    for (const value of Object.values(node)) visit(value);
  };
  visit(parseSync(source, { syntax: 'typescript', target: 'es2024' }).body);
  return found;
}

if (process.argv[1] === import.meta.filename) {
  const faults = borderFaults(process.argv[2] ?? root);
  for (const { file, specifier, reason } of faults) process.stdout.write(`${relative('.', file)}: '${specifier}': ${reason}\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
