import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { open, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { ensureFolder, ensureFolderSync } from './ensure-folder.ts';

interface Replacement {
  readonly path: string;
  readonly content: string | Uint8Array;
  /** Who may read it; by default only its owner. A folder created for it gets the same access. */
  readonly mode?: number;
  /** `false`: a missing folder is an error, for example because somebody named it. */
  readonly makeFolder?: boolean;
}

const ownerOnly = 0o600;
let drafts = 0;

/**
 * In the same folder, since a rename does not cross file systems; hidden from listings; with the same name after a restart, so that kills leave few. In
 * containers every process has the same number: the host name distinguishes two that share a folder.
 */
function draftOf(path: string): string {
  drafts += 1;
  return join(dirname(path), `.${basename(path)}.${hostname()}-${process.pid}-${drafts}.draft`);
}

/** Anyone who may read the files in the folder may list it. */
function folderMode(mode: number): number {
  return 0o700 | mode | ((mode & 0o444) >> 2);
}

/** An existing file is a draft left by a kill, or somebody's link to another file: nothing is written through it. */
const newFile = 'wx';

/** Writes a file completely or not at all: concurrent readers, and a start after a kill, find the old one or the new one. */
export function replaceFileSync({
  path,
  content,
  mode = ownerOnly,
  makeFolder = true,
  flush = true,
}: Replacement & { readonly flush?: boolean }): void {
  const draft = draftOf(path);
  if (makeFolder) ensureFolderSync(dirname(path), folderMode(mode));
  try {
    rmSync(draft, { force: true });
    writeFileSync(draft, content, { mode, flush, flag: newFile });
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

/** The same; once it resolves, the file also survives a power cut. */
export async function replaceFile({ path, content, mode = ownerOnly, makeFolder = true }: Replacement): Promise<void> {
  const draft = draftOf(path);
  if (makeFolder) await ensureFolder(dirname(path), folderMode(mode));
  try {
    await rm(draft, { force: true });
    await writeFile(draft, content, { mode, flush: true, flag: newFile });
    await rename(draft, path);
    const folder = await open(dirname(path), 'r');
    await folder.sync().finally(() => folder.close());
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}
