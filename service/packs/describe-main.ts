/**
 * Prints what a pack says of itself, as JSON: `describe-main FOLDER MAIN`. A process of its own, which may read the pack and Firebreak's code and nothing
 * else, since the pack's modules run in it.
 */
import { registerHooks } from 'node:module';
import { extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packImports } from './pack-rules.ts';

const [folder = '', main = ''] = process.argv.slice(2);
const doors = new Map<string, string>(
  packImports.map((name) => [
    name,
    pathToFileURL(
      join(import.meta.dirname, '../../authoring', `${name.slice('firebreak/'.length)}${extname(import.meta.filename)}`),
    ).href,
  ]),
);
registerHooks({
  // The pack's own copy of the package may be another version: what counts is what it will run with.
  resolve: (specifier, context, next) => {
    const url = doors.get(specifier);
    return url === undefined ? next(specifier, context) : { url, shortCircuit: true };
  },
});
const { default: pack }: { readonly default?: unknown } = await import(pathToFileURL(join(folder, main)).href);
process.stdout.write(JSON.stringify(pack ?? null));
