import { Console } from 'node:console';
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { extname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Node, parse } from 'acorn';
import type { Pack } from '../../core/playbook/pack.ts';
import { turnFunction, turnsAtOnce } from '../../core/playbook/turn.ts';
import { StepFailure } from '../../workflows/step-failure.ts';
import { confine } from './confine.ts';
import { packImports } from './pack-rules.ts';
import { withoutTypes } from './syntax.ts';
import { withTurns } from './turns/turns.ts';

/** Only answers go to standard output, which a program reads: what a pack prints is for people. */
export function printToStandardError(): void {
  globalThis.console = new Console(process.stderr);
}

const doors = new Map<string, string>();

/** The pack's own copy of the package may be another version; the version it will run with is used instead. */
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

/** Loads everything that does not belong to the pack, to shorten the work once the pack is there. */
export async function loadDoors(): Promise<void> {
  registerDoors();
  for (const url of doors.values()) await import(url);
}

/** Prepares this process for the code of a pack: see `confine`. */
export async function confinedPack(folder: string): Promise<void> {
  await loadDoors();
  confine(folder, doors);
}

/**
 * Returns the default export of a pack's module, in a separate process started by `runPackProgram`.
 *
 * @throws TypeError for a promise: an incident does not wait for promises when it creates its playbooks.
 */
export async function loadedPack(folder: string, file: string): Promise<unknown> {
  await confinedPack(folder);
  return loadedFrom(folder, file);
}

/** The same in a process that `confinedPack` has prepared. */
export async function loadedFrom(folder: string, file: string): Promise<unknown> {
  const loaded: { readonly default?: unknown } = await import(pathToFileURL(join(folder, file)).href);
  if (loaded.default instanceof Promise)
    throw new TypeError(
      `${file}: its default export is a promise: write export default definePack({ name, version, playbooks })`,
    );
  return loaded.default;
}

/** The same for a pack whose bodies are run: as in its later bundle, code that never waits is ended, with its place. */
export async function playedPack(folder: string, main: string): Promise<Pack> {
  let turns = 0;
  Object.assign(globalThis, {
    [turnFunction]: (place: string, cost: number): void => {
      if (turns === 0)
        setImmediate(() => {
          turns = 0;
        });
      turns += cost;
      if (turns >= turnsAtOnce)
        throw new StepFailure('FB_ERR_PLAYBOOK_LOOPS', `it goes on without waiting for anything, at ${place}`);
    },
  });
  registerTurns(pathToFileURL(`${folder}/`).href);
  return (await loadedPack(folder, main)) as Pack;
}

function registerTurns(inPack: string): void {
  registerHooks({
    load: (url, context, next) => {
      if (!url.startsWith(inPack)) return next(url, context);
      const text = readFileSync(fileURLToPath(url), 'utf8');
      const code = url.endsWith('.ts') ? withoutTypes(text) : text;
      const program = parse(code, { ecmaVersion: 'latest', sourceType: 'module', locations: true });
      const placeOf = ({ loc }: Node): string => `${url.slice(inPack.length)}:${loc?.start.line ?? 1}`;
      return { format: 'module', source: withTurns(code, program, placeOf), shortCircuit: true };
    },
  });
}
