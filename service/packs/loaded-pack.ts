import { registerHooks } from 'node:module';
import { extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packImports } from './pack-rules.ts';

let isRegistered = false;

/** The pack's own copy of the package may be another version: what counts is what it will run with. */
function registerDoors(): void {
  if (isRegistered) return;
  isRegistered = true;
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
}

/** What a module of a pack exports by default, in a process of its own that `runPackProgram` or `ActionHost` has started. */
export async function loadedPack(folder: string, file: string): Promise<unknown> {
  registerDoors();
  const loaded: { readonly default?: unknown } = await import(pathToFileURL(join(folder, file)).href);
  return loaded.default;
}
