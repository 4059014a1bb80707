import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { promisify } from 'node:util';
import { ensureFolderSync } from '../../integrations/ensure-folder.ts';
import { noInspector } from '../launcher/node-flags.mjs';
import { limitMemory } from './memory-limit.ts';
import { limitLines } from './own/host-messages.ts';
import { implementations, type PackFiles } from './pack-files.ts';

/** Writes the files of a pack into a folder, as a build sees them; `with implementations` for the process of its actions. */
export function writePack({ files }: Pick<PackFiles, 'files'>, folder: string, what?: 'with implementations'): void {
  for (const [file, content] of files) {
    if (what === undefined && file.startsWith(`${implementations}/`)) continue;
    ensureFolderSync(dirname(join(folder, file)));
    writeFileSync(join(folder, file), content);
  }
}

/** Timeout for loading a pack, which takes a second. A machine with ten times its capacity of work took more than 30 s. */
export const programMs = 120_000;

/** Memory that the author's code uses is not available to the desk or the cell on the same machine. */
export const packMb = 512;

/** Timeout for going through every answer of many playbooks, on a machine with other work. */
const longProgramMs = 300_000;

/**
 * Returns the output of a program that runs the modules of a pack: `PROGRAM FOLDER MAIN`, without an environment; it may read only the pack and Firebreak's
 * code. The caller must have checked `packFaults` before.
 *
 * @param program its path, as a source.
 * @param input passed to it as JSON.
 * @throws Error worded for the author of the pack.
 */
export async function runPackProgram(pack: PackFiles, program: string, input: unknown): Promise<string> {
  const prepared = prepareProgram(pack, program);
  let tooMuch: string | undefined;
  try {
    const options = { ...prepared.options, timeout: longProgramMs, maxBuffer: mostBytes };
    const running = promisify(execFile)(process.execPath, prepared.args, options);
    limitMemory(running.child, packMb, (did) => {
      tooMuch = `${pack.main}: it ${did}`;
      running.child.kill('SIGKILL');
    });
    // If the process ended before it read its input, its exit explains more.
    running.child.stdin?.on('error', () => undefined);
    running.child.stdin?.end(JSON.stringify(input));
    return (await running).stdout;
  } catch (error) {
    if (tooMuch !== undefined) throw new Error(tooMuch);
    const killed = error instanceof Error && 'killed' in error && error.killed === true;
    if (killed) throw new Error(`${pack.main}: it has not exited after ${longProgramMs / 60_000} minutes`);
    throw new Error(
      reasonIn(error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error), prepared.folder),
    );
  } finally {
    rmSync(prepared.folder, { recursive: true, force: true });
  }
}

export const mostBytes = 16 * 1024 * 1024;

export function prepareProgram(pack: PackFiles, program: string) {
  const { folder, args, options } = prepareFolder(program);
  writePack(pack, folder);
  return { folder, args: [...args, pack.main], options };
}

/** The same before a pack exists: the pack is written into the folder later, and the program is then told its main module. */
export function prepareFolder(program: string) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'firebreak-pack-')));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const root = join(import.meta.dirname, '..', '..');
  const flags = confinedFlags({
    readable: [folder, ...codeFolders(root)],
    megabytes: packMb,
  });
  const file = `${join(root, program)}${extname(import.meta.filename)}`;
  return {
    folder,
    args: [...flags, file, folder],
    options: { env: {}, cwd: folder, encoding: 'utf8', timeout: programMs } as const,
  };
}

/**
 * Flags of every process that runs the code of a pack. What they leave open, `confine` closes.
 *
 * @param readable all that it may read.
 */
export function confinedFlags({
  readable,
  megabytes,
}: {
  readonly readable: readonly string[];
  readonly megabytes: number;
}): readonly string[] {
  return [
    noInspector,
    '--permission',
    ...readable.map((path) => `--allow-fs-read=${path}`),
    '--no-addons',
    // It opens files past the permissions.
    '--no-experimental-sqlite',
    // Code generated from text would be unchecked code: it could reach what `packFaults` rejects.
    '--disallow-code-generation-from-strings',
    `--max-old-space-size=${megabytes}`,
    '--disable-warning=ExperimentalWarning',
    '--disable-warning=SecurityWarning',
  ];
}

/**
 * The parts of Firebreak that the modules of a pack need, not everything next to them, of which a checkout has more. In a build, packages are part of the
 * chunks, and a pack must not use the packages next to them.
 */
export function codeFolders(root: string): readonly string[] {
  const isBuilt = !import.meta.filename.endsWith('.ts');
  const names = isBuilt ? ['package.json'] : ['package.json', 'node_modules'];
  const rooms = isBuilt
    ? ['authoring', 'chunks', 'service']
    : ['authoring', 'core', 'activities', 'integrations', 'playbooks', 'workflows', 'testing', 'service'];
  return [...rooms.map((room) => join(root, room)), ...above(root, names), ...(isBuilt ? [] : packageFolders())];
}

/** Node resolves from a folder what is in it and above it. */
function above(root: string, names: readonly string[]): readonly string[] {
  const found: string[] = [];
  for (let folder = root; ; folder = dirname(folder)) {
    for (const name of names) if (existsSync(join(folder, name))) found.push(join(folder, name));
    if (dirname(folder) === folder) return found;
  }
}

/** Real paths of the packages that Firebreak's entry points import: some installers link them. */
function packageFolders(): readonly string[] {
  const real = ['@noble/hashes/sha2.js', 'lru-cache', 'zod', 'axios'].map((name) => new URL(import.meta.resolve(name)).pathname);
  return real.map((path) => `${path.split('/node_modules/')[0]}/node_modules`);
}

/** Returns the last error that Node printed, with its place in the pack: where it was thrown, or the pack's code that called it. */
export function reasonIn(stderr: string, folder: string): string {
  const lines = stderr.split('\n');
  const error =
    lines.find((line) => /^\w*Error\b.*: /.test(line)) ??
    lines.find((line) => line.trim() !== '') ??
    'it exited without a message';
  // A line of the stack; or the first line of all, for a file that Node could not parse.
  const ours = lines.find((line, at) => line.includes(`${folder}/`) && (at === 0 || /^\s+at /.test(line)));
  const place = ours?.split(`${folder}/`)[1]?.match(/^([\w./-]+\.[jt]s:\d+)/)?.[1];
  const said = error.replaceAll(`file://${folder}/`, '').replaceAll(`${folder}/`, '');
  // The caller adds the final full stop.
  const text = / before initialization$/.test(said) ? `${said}. ${whereInACircle}` : said;
  return place === undefined ? text : `${place}: ${text}`;
}

const whereInACircle =
  'Its line has not run yet. If two files import each other, move what both need into a third; otherwise write it above what uses it';

/** A program that runs the modules of a pack and answers questions until it is closed. */
export interface PackProgram {
  readonly input: Writable;
  readonly output: Readable;
  /** Resolves when the program ends: what was wrong, worded for the author. */
  readonly ended: Promise<string>;
  close(): void;
}

/**
 * Starts a program as `runPackProgram` does, and keeps it running: it ends when its input ends.
 *
 * @param program its path, as a source.
 * @param more further arguments besides the pack.
 */
export function startPackProgram(pack: PackFiles, program: string, more: readonly string[] = []): PackProgram {
  const { folder, args, options } = prepareProgram(pack, program);
  const running = spawn(process.execPath, [...args, ...more], { env: options.env, cwd: options.cwd, stdio: 'pipe' });
  for (const stream of [running.stdout, running.stderr]) limitLines(stream, () => running.kill('SIGKILL'));
  const said: string[] = [];
  let tooMuch: string | undefined;
  limitMemory(running, packMb, (did) => {
    tooMuch = `${pack.main}: it ${did}`;
    running.kill('SIGKILL');
  });
  // Its last output explains why it ended.
  createInterface({ input: running.stderr }).on('line', (line) => {
    said.push(line.slice(0, 10_000));
    if (said.length > mostLines) said.shift();
  });
  // If the process ended before it read its input, its exit explains more.
  running.stdin.on('error', () => undefined);
  const ended = once(running, 'close').then(() => {
    rmSync(folder, { recursive: true, force: true });
    return tooMuch ?? reasonIn(said.join('\n'), folder);
  });
  return { input: running.stdin, output: running.stdout, ended, close: () => running.kill('SIGKILL') };
}

const mostLines = 200;
