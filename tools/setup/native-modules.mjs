/**
 * `native-modules.mjs NODE_MODULES`: takes away all packages but those that stay beside the bundled program, and what these need. Plain JavaScript, for
 * the Dockerfile as well.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { bundledNatives, nativePackages } from './bundle.mjs';

/** Leaves in a `node_modules` of npm, in which every package lies but once, what the program loads from there. */
export function keepNativeModules(modules) {
  const kept = new Set();
  const keep = (name) => {
    const manifest = join(modules, name, 'package.json');
    if (kept.has(name) || !existsSync(manifest)) return;
    kept.add(name);
    if (bundledNatives.includes(name)) return;
    const { dependencies, optionalDependencies } = JSON.parse(readFileSync(manifest, 'utf8'));
    for (const needed of Object.keys({ ...dependencies, ...optionalDependencies })) keep(needed);
  };
  for (const name of nativePackages) keep(name);
  for (const name of readdirSync(modules)) {
    const inner = name.startsWith('@') ? readdirSync(join(modules, name)).map((one) => `${name}/${one}`) : [name];
    for (const one of inner) if (!kept.has(one)) rmSync(join(modules, one), { recursive: true });
    if (name.startsWith('@') && readdirSync(join(modules, name)).length === 0) rmSync(join(modules, name), { recursive: true });
  }
}

const [, program, modules] = process.argv;
if (program === import.meta.filename && modules !== undefined) keepNativeModules(modules);
