import { registerHooks } from 'node:module';
import { extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packImports } from './pack-rules.ts';

/**
 * What a pack exports, in a process of its own that `runPackProgram` has started. The pack's own copy of the package may be another version: what counts is
 * what it will run with.
 */
export async function loadedPack(folder: string, main: string): Promise<unknown> {
  const doors = new Map<string, string>(
    packImports.map((name) => [
      name,
      pathToFileURL(
        join(import.meta.dirname, '../../authoring', `${name.slice('firebreak/'.length)}${extname(import.meta.filename)}`),
      ).href,
    ]),
  );
  registerHooks({
    resolve: (specifier, context, next) => {
      const url = doors.get(specifier);
      return url === undefined ? next(specifier, context) : { url, shortCircuit: true };
    },
  });
  const loaded: { readonly default?: unknown } = await import(pathToFileURL(join(folder, main)).href);
  return loaded.default;
}
