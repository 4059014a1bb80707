/** Writes the lists of all actions; with `--check` only reports which are out of date, with exit code 1. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../service/process/project-root.ts';
import { writeGenerated } from '../generated.ts';

/** A file generated from the folders of `core/actions`: a new action is included automatically. */
interface ActionList {
  /** Path from the project's root. */
  readonly path: string;
  readonly text: string;
}

interface Found {
  /** For example `suspendRollout`. */
  readonly name: string;
  /** For example `workloads/suspend-rollout`. */
  readonly place: string;
}

/**
 * Returns the lists of all actions below `root`: the declarations, which playbooks and workflows import; the schemas of inputs and outputs, which must not get
 * into the workflow bundle; and the package's door to the declarations.
 *
 * @throws Error for a declaration that lacks its schema, or is not named like its file
 */
export function actionLists(root: string): readonly ActionList[] {
  const folder = join(root, 'core', 'actions');
  const found = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.replaceAll('\\', '/').slice(0, -'.ts'.length))
    .sort()
    .flatMap((place) => actionIn(folder, place));
  return [
    { path: 'core/actions/index.ts', text: declarations(found) },
    { path: 'core/actions/inputs.schema.ts', text: schemas(found, 'Input') },
    { path: 'core/actions/outputs.schema.ts', text: schemas(found, 'Output') },
    { path: 'authoring/actions.ts', text: door(found) },
  ];
}

function actionIn(folder: string, place: string): readonly Found[] {
  const text = readFileSync(join(folder, `${place}.ts`), 'utf8');
  if (!text.includes(' = declareAction<')) return [];
  const name = place.replace(/^.*\//, '').replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  requireIn(text, `export const ${name} = declareAction<`, `core/actions/${place}.ts`);
  const schema = readIfThere(join(folder, `${place}.schema.ts`));
  for (const side of ['Input', 'Output']) requireIn(schema, `export const ${name}${side} = `, `core/actions/${place}.schema.ts`);
  return [{ name, place }];
}

function requireIn(text: string, line: string, file: string): void {
  if (!text.includes(line)) throw new Error(`${file} must have \`${line}…\``);
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

const head = '// Generated from the files of core/actions by `npm run generate`. Do not edit.';

function declarations(found: readonly Found[]): string {
  const names = found.map(({ name }) => `  ${name},`);
  return `${[
    head,
    `import type { ActionDeclaration } from '../action/action.ts';`,
    ...found.map(({ name, place }) => `import { ${name} } from './${place}.ts';`),
    '',
    'export {',
    ...[...names].sort(),
    '};',
    '',
    'const all = [',
    ...names,
    '] as const;',
    '',
    '/** One of them, as it is declared. */',
    'export type DeclaredAction = (typeof all)[number];',
    '',
    '/** Every action there is: the source for the RBAC manifests, the reference, and what a release without a cell looks for. */',
    'export const actions: readonly ActionDeclaration[] = all;',
  ].join('\n')}\n`;
}

const schemaWords = {
  Input: 'Input schema of each action: the chokepoint checks calls by it, and the reference documents it.',
  Output: 'Output schema of each action: a simulation makes up outputs from it, so that a playbook can go on.',
};

function schemas(found: readonly Found[], side: 'Input' | 'Output'): string {
  const names = found.map(({ name }) => `  ${name}: ${name}${side},`).sort();
  const importOf = ({ name, place }: Found): string => `import { ${name}${side} } from './${place}.schema.ts';`;
  return `${[
    head,
    `import type { z } from 'zod';`,
    `import type { ${side}Of } from '../action/action.ts';`,
    ...found.filter(({ place }) => place < 'index').map(importOf),
    `import type { DeclaredAction } from './index.ts';`,
    ...found.filter(({ place }) => place > 'index').map(importOf),
    '',
    'const all = {',
    ...names,
    `} satisfies { readonly [A in DeclaredAction as A['name']]: z.ZodType<${side}Of<A>> };`,
    '',
    `/** ${schemaWords[side]} */`,
    `export const action${side}s: Readonly<Record<string, z.ZodObject>> = all;`,
  ].join('\n')}\n`;
}

function door(found: readonly Found[]): string {
  return `${[
    head,
    '/** `firebreak/actions`: what a playbook can do, one declaration per action (their reference: docs/actions.md), and what you need to write your own actions. */',
    "export type { Right } from '../core/action/action.ts';",
    "export { type DataField, type DataFields, type DataOf, data, type FieldOf } from '../core/action/data-fields.ts';",
    "export { defineAction, type OwnAction, type OwnReach } from '../core/action/own-action.ts';",
    'export {',
    '  type ImplementedAction,',
    '  implementAction,',
    '  type OwnCall,',
    '  type OwnImplementation,',
    '  type OwnPlan,',
    '  type OwnRequest,',
    '  type OwnResponse,',
    '  refuse,',
    "} from '../core/action/own-implementation.ts';",
    'export {',
    ...found.map(({ name }) => `  ${name},`).sort(),
    "} from '../core/actions/index.ts';",
  ].join('\n')}\n`;
}

if (process.argv[1] === import.meta.filename) {
  const root = projectRoot();
  for (const list of actionLists(root))
    writeGenerated({ ...list, problem: ' is not up to date with core/actions: run `npm run generate`' });
}
