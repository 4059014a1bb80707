import { registerHooks } from 'node:module';
import { extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packImports } from './pack-rules.ts';

const doors = new Map<string, string>();

/** The pack's own copy of the package may be another version: what counts is what it will run with. */
function registerDoors(): void {
  if (doors.size > 0) return;
  for (const name of packImports) {
    const file = `${name.slice('firebreak/'.length)}${extname(import.meta.filename)}`;
    doors.set(name, pathToFileURL(join(import.meta.dirname, '../../authoring', file)).href);
  }
  registerHooks({
    resolve: (specifier, context, next) => {
      const url = doors.get(specifier);
      return url === undefined ? next(specifier, context) : { url, shortCircuit: true };
    },
  });
}

/** Loads all that is not the pack's: what is left to do once the pack is there. */
export async function loadDoors(): Promise<void> {
  registerDoors();
  for (const url of doors.values()) await import(url);
}

/**
 * What a module of a pack exports by default, in a process of its own that `runPackProgram` or `ActionHost` has started.
 *
 * @throws TypeError for a promise: an incident waits for none when it makes its playbooks.
 */
export async function loadedPack(folder: string, file: string): Promise<unknown> {
  registerDoors();
  const loaded: { readonly default?: unknown } = await import(pathToFileURL(join(folder, file)).href);
  if (loaded.default instanceof Promise)
    throw new TypeError(
      `${file}: its default export is a promise: write export default definePack({ name, version, playbooks })`,
    );
  return loaded.default;
}
