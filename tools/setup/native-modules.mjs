/**
 * `native-modules.mjs NODE_MODULES`: removes all packages except those that stay next to the bundled program, and their dependencies. Plain JavaScript, for the
 * Dockerfile as well.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { bundledNatives, nativePackages } from './bundle.mjs';

/** Keeps only what the program loads from npm's `node_modules`, in which every package occurs only once. */
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
