import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix, relative, resolve, sep } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import { isObject } from '../../core/text/plain-json.ts';

/** Where a pack is: one of four sources. Paths are absolute. */
export type PackSource =
  | { readonly folder: string }
  /** As created by `npm pack`. */
  | { readonly tarball: string }
  /** A package installed in `node_modules` of the folder or one above it. Nothing is downloaded. */
  | { readonly npm: string; readonly from: string }
  /** The files themselves: of a release whose signature was checked, or as accepted by a service that watches a folder. */
  | { readonly release: PackFiles };

/** A pack as it is on disk: the input of a build; none of it has run yet. */
export interface PackFiles {
  /** Path in the pack, with `/`, → content. */
  readonly files: ReadonlyMap<string, Buffer>;
  /**
   * `sha512-…` in base64. For a tarball, the hash of its bytes, as npm writes it; otherwise of paths and contents of these files: the same on every machine,
   * whatever the folder is called.
   */
  readonly integrity: string;
  /** The module whose default export is the pack: `firebreak.pack.ts`. */
  readonly main: string;
  /** As its `package.json` says, which is no part of the pack; absent: it has none. */
  readonly packageVersion?: string;
}

/** The folder with the implementations of the pack's own actions: neither the workflows nor the process that describes the pack ever see it. */
export const implementations = 'implementations';

const mains = ['firebreak.pack.ts', 'firebreak.pack.js'];
const mostFiles = 500;
const mostBytes = 4 * 1024 * 1024;

/** @throws Error worded for the person who configured it. */
export function readPack(source: PackSource): PackFiles {
  if ('release' in source) return source.release;
  if ('tarball' in source) {
    const folder = mkdtempSync(join(tmpdir(), 'firebreak-pack-'));
    try {
      const bytes = readFileSync(source.tarball);
      const tar = spawnSync('tar', ['-xzf', '-', '-C', folder, '--strip-components=1', '--no-same-owner'], { input: bytes });
      if (tar.status !== 0) throw new Error(`${source.tarball} is not a tarball made by npm pack`);
      return packIn(folder, source.tarball, `sha512-${createHash('sha512').update(bytes).digest('base64')}`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  const folder = 'folder' in source ? source.folder : installed(source);
  return packIn(folder, folder);
}

/** Parses the source as given on the command line: a folder or a tarball. */
export function packSourceAt(where: string): PackSource {
  const path = resolve(where);
  return /\.t(ar\.)?gz$/.test(path) ? { tarball: path } : { folder: path };
}

/** @throws FB_ERR_FILE_MISSING if there is none. */
export function readPackAt(where: string | PackSource): PackFiles {
  try {
    return readPack(typeof where === 'string' ? packSourceAt(where) : where);
  } catch (error) {
    throw new FirebreakError('FB_ERR_FILE_MISSING', error instanceof Error ? error.message : 'the pack cannot be read', {
      remedy: 'Name the folder or the tarball of a pack; `firebreak pack new NAME` makes one.',
    });
  }
}

function installed({ npm, from }: Extract<PackSource, { readonly npm: string }>): string {
  for (let folder = from; ; folder = dirname(folder)) {
    const found = join(folder, 'node_modules', npm);
    if (existsSync(found)) return found;
    if (dirname(folder) === folder) throw new Error(`the package ${npm} is not installed: run npm install ${npm} in ${from}`);
  }
}

function packIn(folder: string, name: string, integrity?: string): PackFiles {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw new Error(`there is no folder ${folder}`);
  const files = new Map(
    codeFiles(folder).map((file) => [relative(folder, file).split(sep).join(posix.sep), readFileSync(file)] as const),
  );
  const packageVersion = packageVersionIn(folder);
  return { ...packOf(files, name, integrity), ...(packageVersion !== undefined && { packageVersion }) };
}

function packageVersionIn(folder: string): string | undefined {
  const file = join(folder, 'package.json');
  if (!existsSync(file)) return undefined;
  try {
    const read: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return isObject(read) && typeof read.version === 'string' ? read.version : undefined;
  } catch {
    // npm says what is wrong with it.
    return undefined;
  }
}

/** @param name used in errors. @throws Error worded for the person who configured it. */
export function packOf(files: PackFiles['files'], name: string, integrity?: string): PackFiles {
  const stranger = [...files.keys()].find((path) => !codePath.test(path) || path.split('/').some((part) => notCode.test(part)));
  if (stranger !== undefined) throw new Error(`${name} holds ${stranger}, which is not code of a pack`);
  const main = mains.find((file) => files.has(file));
  if (main === undefined) throw new Error(`${name} has no firebreak.pack.ts`);
  if (files.size > mostFiles) throw new Error(`${name} has more than ${mostFiles} files of code`);
  const bytes = [...files.values()].reduce((sum, { length }) => sum + length, 0);
  if (bytes > mostBytes) throw new Error(`${name} has more than ${mostBytes} bytes of code`);
  return { files, main, integrity: integrity ?? integrityOf(files) };
}

/** Tests and samples are not part of a pack: changing them changes no build. */
const notCode = /^(node_modules|test|tests|alerts)$|^\./;
/** A path in the pack, which cannot lead out of it. */
const codePath = /^(?!\/)[^\\\0]*(?<!\.test|\.d)\.[jt]s$/;

function codeFiles(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !notCode.test(name))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return codeFiles(path);
      return entry.isFile() && codePath.test(entry.name) ? [path] : [];
    })
    .sort();
}

function integrityOf(files: PackFiles['files']): string {
  const hash = createHash('sha512');
  for (const [path, content] of [...files].sort(([a], [b]) => (a < b ? -1 : 1)))
    hash.update(`${path.length}:${path}${content.length}:`).update(content);
  return `sha512-${hash.digest('base64')}`;
}
