/** Set-up of a checkout, on any Node (20 or newer) and before any package is installed: plain JavaScript without imports from packages. */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeProblem } from '../../service/launcher/launcher.mjs';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/**
 * Installs what package-lock.json lists, unless it is installed, and returns the path of the Node to continue with: the one that the lock pins, or this one if
 * Firebreak was installed as a package. With `startsCluster`, the parts of the cluster are compiled meanwhile. Throws with the remedy.
 */
export async function ensureSetUp({ log = (line) => process.stderr.write(`${line}\n`), startsCluster = false } = {}) {
  const lockFile = join(root, 'package-lock.json');
  if (existsSync(lockFile)) await ensurePackages({ lockFile, log, startsCluster });
  const pinned = join(root, 'node_modules', 'node', 'bin', 'node');
  // Its real path, like process.execPath: a caller that compares the two must not restart itself for ever because of a linked node_modules.
  if (existsSync(pinned)) {
    const real = realpathSync(pinned);
    if (real === process.execPath || spawnSync(real, ['--version']).status === 0) return real;
  }
  const problem = nodeProblem();
  if (problem === undefined) return process.execPath;
  throw new Error(problem);
}

async function ensurePackages({ lockFile, log, startsCluster }) {
  const modules = join(root, 'node_modules');
  const stamp = join(modules, '.firebreak-lock');
  const text = readFileSync(lockFile, 'utf8');
  const hash = createHash('sha256').update(text).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
  if (!isInstalled({ lock: JSON.parse(text), installedFile: join(modules, '.package-lock.json') })) {
    log('set-up: installing packages with npm ci …');
    const startedAt = Date.now();
    const timer = setInterval(() => log(`set-up: npm ci … ${Math.round((Date.now() - startedAt) / 1000)} s`), 15_000);
    // Imported only if needed: every command loads this file, and none of them compiles.
    const endAhead = startsCluster ? (await import('./compile-ahead.mjs')).compileAhead({ root }) : undefined;
    const code = await runNpmCi();
    await endAhead?.();
    clearInterval(timer);
    if (code !== 0) throw new Error('npm ci failed: see above. Check that the npm registry can be reached, then run this again.');
    log(`set-up: packages installed in ${Math.round((Date.now() - startedAt) / 1000)} s`);
  }
  writeFileSync(stamp, hash);
}

/** Whether npm's own record of what it installed matches the lock; optional packages may be missing on this machine. */
function isInstalled({ lock, installedFile }) {
  if (!existsSync(installedFile)) return false;
  const installed = JSON.parse(readFileSync(installedFile, 'utf8')).packages;
  const wanted = Object.entries(lock.packages).filter(([path]) => path !== '');
  return wanted.every(([path, entry]) => {
    const found = installed[path];
    if (!found) return entry.optional === true || entry.devOptional === true;
    return found.version === entry.version && found.integrity === entry.integrity && existsSync(join(root, path));
  });
}

/** npm's output goes to stderr, so that machine-readable output of a command stays clean. */
function runNpmCi() {
  return new Promise((resolve) => {
    const npm = spawn('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root, stdio: ['ignore', 2, 2] });
    npm.once('error', () => resolve(1));
    npm.once('close', resolve);
  });
}
