/** Builds `dist` from the TypeScript if it is missing or older than the sources. Plain JavaScript, see setup.mjs. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { ensureSetUp, root } from './setup.mjs';

/** The rooms that the compiler translates to JavaScript: no tools, no tests, no Go sources. The console is built for browsers, see console.mjs. */
const rooms = () => JSON.parse(readFileSync(join(root, 'tsconfig.build.json'), 'utf8')).include;
const output = join(root, 'dist');
/** The source that `cli.ts` leads to; `dist` has the compiler's output of it. */
const sourceLauncher = join('service', 'cli.mjs');
/** Created by the builder, so it also serves as the lock. */
const workFolder = join(root, '.build');

/** Returns the folder of the built JavaScript. Throws with the compiler's messages. */
export async function ensureBuilt({ node, log = (line) => process.stderr.write(`${line}\n`) }) {
  if (!existsSync(join(root, 'tsconfig.build.json'))) return output;
  const sources = sourceFiles();
  const wanted = hashOf([...sources, ...bundledFiles()]);
  if (builtHash() === wanted) return output;
  const unlock = await lock(workFolder);
  try {
    if (builtHash() === wanted) return output;
    const draft = join(workFolder, 'draft');
    const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    // `npm run check` checks types, including those of tests and tools: checking them here as well took two thirds of the build's CPU time.
    const flags = ['--noCheck', '--checkers', '1', '--outDir', draft];
    const result = spawnSync(node, [compiler, '-p', 'tsconfig.build.json', ...flags], { cwd: root, encoding: 'utf8' });
    if (result.status !== 0) throw new Error(`The build failed:\n${result.stdout}${result.stderr}`);
    for (const file of sources.filter((file) => !/\.(ts|tsx)$/.test(file) && file !== sourceLauncher)) {
      mkdirSync(dirname(join(draft, file)), { recursive: true });
      cpSync(join(root, file), join(draft, file));
    }
    if (existsSync(join(draft, 'workflows', 'index.js'))) bundleWorkflows({ node, draft });
    if (existsSync(join(root, 'console'))) {
      // Loaded here: every start in a checkout loads this file, but few of them build.
      const { buildConsole } = await import('./console.mjs');
      await buildConsole({ folder: join(draft, 'console') });
    }
    if (existsSync(join(draft, 'service', 'commands', 'main.js'))) {
      const { bundlePrograms } = await import('./bundle.mjs');
      await bundlePrograms({ draft });
    }
    writeFileSync(join(draft, '.sources'), wanted);
    if (existsSync(output)) renameSync(output, join(workFolder, 'old'));
    renameSync(draft, output);
    log('built dist from the sources');
    return output;
  } finally {
    unlock();
  }
}

/** The worker runs a prebuilt bundle: bundling in its process would cost 100 MB permanently. */
function bundleWorkflows({ node, draft }) {
  // With the compiler's maps: positions in playbooks are those that their authors know.
  const args = ['service/temporal/bundle/bundle-main.js', 'workflows/index.js', 'workflows.bundle.js'].map((file) =>
    join(draft, file),
  );
  const result = spawnSync(node, args, { cwd: root, encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`The workflows could not be bundled:\n${result.stdout}${result.stderr}`);
}

function builtHash() {
  const stamp = join(output, '.sources');
  return existsSync(stamp) ? readFileSync(stamp, 'utf8') : '';
}

/** All files of the rooms: those that are not TypeScript (pages, SQL) are copied unchanged. */
function sourceFiles() {
  return rooms().flatMap(filesOf);
}

/** Other inputs of the console and the bundled programs: their packages, and the build scripts. */
function bundledFiles() {
  const made = ['console.mjs', 'bundle.mjs'].map((file) => join('tools', 'setup', file));
  return [...filesOf('console'), ...[...made, 'package-lock.json'].filter((file) => existsSync(join(root, file)))];
}

function filesOf(room) {
  return existsSync(join(root, room)) ? filesIn(room).sort() : [];
}

/** Every command runs this first: a stat of each file, Node's own recursive reading, or a thousand calls of `join`, which it compiles, cost eight megabytes. */
function filesIn(folder) {
  return readdirSync(`${root}/${folder}`, { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? filesIn(path) : [path];
  });
}

/** Reads in pieces: every command does this first, and all sources together take more memory than a small command itself needs. */
function hashOf(files) {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(65_536);
  for (const file of ['tsconfig.json', 'tsconfig.build.json', ...files]) addFile(hash, file, piece);
  return hash.digest('hex');
}

/** A separate function: the loop, compiled while it runs, cost six megabytes. */
function addFile(hash, file, piece) {
  hash.update(`\0${file}\0`);
  const opened = openSync(`${root}/${file}`, 'r');
  for (let size = readSync(opened, piece); size > 0; size = readSync(opened, piece)) hash.update(piece.subarray(0, size));
  closeSync(opened);
}

/** One build at a time; a lock is taken over if its build's process has ended, or after a minute if its owner is unknown. */
async function lock(folder) {
  const builder = join(folder, 'builder');
  for (;;) {
    try {
      mkdirSync(folder);
      writeFileSync(builder, String(process.pid));
      return () => rmSync(folder, { recursive: true, force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const since = statSync(folder, { throwIfNoEntry: false })?.mtimeMs;
    const isLeft = since !== undefined && !(isRunning(builder) ?? Date.now() - since < 60_000);
    if (isLeft) rmSync(folder, { recursive: true, force: true });
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Whether the process named in a file runs; undefined if the file names none. */
function isRunning(file) {
  try {
    return process.kill(Number(readFileSync(file, 'utf8')), 0);
  } catch (error) {
    return error.code === 'ENOENT' ? undefined : error.code === 'EPERM';
  }
}

if (process.argv[1] === import.meta.filename) await ensureBuilt({ node: await ensureSetUp() });
