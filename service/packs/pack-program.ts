import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { promisify } from 'node:util';
import { ensureFolderSync } from '../../integrations/ensure-folder.ts';
import { implementations, type PackFiles } from './pack-files.ts';

/** Puts the files of a pack into a folder, as a build sees them; `with implementations` as the process of its actions does. */
export function writePack({ files }: Pick<PackFiles, 'files'>, folder: string, what?: 'with implementations'): void {
  for (const [file, content] of files) {
    if (what === undefined && file.startsWith(`${implementations}/`)) continue;
    ensureFolderSync(dirname(join(folder, file)));
    writeFileSync(join(folder, file), content);
  }
}

/** To load one, which takes a second. A machine with ten times as much to do as it can took more than 30 s for it. */
export const programMs = 120_000;

/** To go through every answer of many playbooks, on a machine that has other work. */
const longProgramMs = 300_000;

/**
 * What a program prints that runs the modules of a pack: `PROGRAM FOLDER MAIN`, without an environment, which may read the pack and Firebreak's code
 * alone. Whoever runs it has looked at `packFaults` before.
 *
 * @param program path of it, as a source.
 * @param input what it reads as JSON.
 * @throws Error in words for its author.
 */
export async function runPackProgram(pack: PackFiles, program: string, input: unknown): Promise<string> {
  const prepared = prepareProgram(pack, program);
  try {
    const options = { ...prepared.options, timeout: longProgramMs, maxBuffer: mostBytes };
    const running = promisify(execFile)(process.execPath, prepared.args, options);
    // Where it has ended before it has read, its end says more.
    running.child.stdin?.on('error', () => undefined);
    running.child.stdin?.end(JSON.stringify(input));
    return (await running).stdout;
  } catch (error) {
    const killed = error instanceof Error && 'killed' in error && error.killed === true;
    if (killed) throw new Error(`${pack.main}: it has not ended after ${longProgramMs / 60_000} minutes`);
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

/** The same before there is a pack: it is written into the folder, and the program is told then which module is its main one. */
export function prepareFolder(program: string) {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-pack-'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const root = join(import.meta.dirname, '..', '..');
  const readable = [folder, ...codeFolders(root)].map((path) => `--allow-fs-read=${path}`);
  // Code made of a text would be code that nobody has looked at: it would reach what `packFaults` refuses.
  const flags = [
    '--permission',
    ...readable,
    '--disallow-code-generation-from-strings',
    // What an author's code takes, the desk or the cell beside it does not have.
    '--max-old-space-size=512',
    '--disable-warning=ExperimentalWarning',
    '--disable-warning=SecurityWarning',
  ];
  const file = `${join(root, program)}${extname(import.meta.filename)}`;
  return {
    folder,
    args: [...flags, file, folder],
    options: { env: {}, cwd: folder, encoding: 'utf8', timeout: programMs } as const,
  };
}

/**
 * What the modules of a pack need of Firebreak: not all that lies beside it, of which a checkout has more. Built, packages are part of the chunks, and those
 * beside it are none of a pack's business.
 */
export function codeFolders(root: string): readonly string[] {
  const isBuilt = !import.meta.filename.endsWith('.ts');
  const names = isBuilt ? ['package.json'] : ['package.json', 'node_modules'];
  const rooms = isBuilt
    ? ['authoring', 'chunks', 'service']
    : ['authoring', 'core', 'activities', 'integrations', 'playbooks', 'workflows', 'testing', 'service'];
  return [...rooms.map((room) => join(root, room)), ...above(root, names), ...(isBuilt ? [] : packageFolders())];
}

/** Node finds from a folder what lies in it and above it. */
function above(root: string, names: readonly string[]): readonly string[] {
  const found: string[] = [];
  for (let folder = root; ; folder = dirname(folder)) {
    for (const name of names) if (existsSync(join(folder, name))) found.push(join(folder, name));
    if (dirname(folder) === folder) return found;
  }
}

/** Where the packages that Firebreak's doors import really are: some installers link them. */
function packageFolders(): readonly string[] {
  const real = ['@noble/hashes/sha2.js', 'lru-cache', 'zod', 'axios'].map((name) => new URL(import.meta.resolve(name)).pathname);
  return real.map((path) => `${path.split('/node_modules/')[0]}/node_modules`);
}

/** The last error that Node printed, with the place in the pack: where it was thrown, or what of the pack had called that. */
export function reasonIn(stderr: string, folder: string): string {
  const lines = stderr.split('\n');
  const error =
    lines.find((line) => /^\w*Error\b.*: /.test(line)) ?? lines.find((line) => line.trim() !== '') ?? 'it ended without a word';
  // A line of the stack; or the first of all, of what Node could not read.
  const ours = lines.find((line, at) => line.includes(`${folder}/`) && (at === 0 || /^\s+at /.test(line)));
  const place = ours?.split(`${folder}/`)[1]?.match(/^([\w./-]+\.[jt]s:\d+)/)?.[1];
  const said = error.replaceAll(`file://${folder}/`, '').replaceAll(`${folder}/`, '');
  // Whoever shows it ends it with a full stop.
  const text = / before initialization$/.test(said) ? `${said}. ${whereInACircle}` : said;
  return place === undefined ? text : `${place}: ${text}`;
}

const whereInACircle =
  'Its line has not run yet. If two files import each other, move what both need into a third; else write it above what uses it';

/** A program that runs the modules of a pack for as long as it is asked. */
export interface PackProgram {
  readonly input: Writable;
  readonly output: Readable;
  /** It is over: what was wrong, for its author. */
  readonly ended: Promise<string>;
  close(): void;
}

/**
 * Starts a program as `runPackProgram` does, and leaves it running: it ends with its input.
 *
 * @param program path of it, as a source.
 * @param more what it is told beside the pack.
 */
export function startPackProgram(pack: PackFiles, program: string, more: readonly string[] = []): PackProgram {
  const { folder, args, options } = prepareProgram(pack, program);
  const running = spawn(process.execPath, [...args, ...more], { env: options.env, cwd: options.cwd, stdio: 'pipe' });
  const said: string[] = [];
  // What it said last tells why it ended.
  createInterface({ input: running.stderr }).on('line', (line) => {
    said.push(line);
    if (said.length > mostLines) said.shift();
  });
  // Where it has ended before it has read, its end says more.
  running.stdin.on('error', () => undefined);
  const ended = once(running, 'close').then(() => {
    rmSync(folder, { recursive: true, force: true });
    return reasonIn(said.join('\n'), folder);
  });
  return { input: running.stdin, output: running.stdout, ended, close: () => running.kill('SIGKILL') };
}

const mostLines = 200;
