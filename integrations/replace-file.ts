import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { open, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { ensureFolder, ensureFolderSync } from './ensure-folder.ts';

interface Replacement {
  readonly path: string;
  readonly content: string | Uint8Array;
  /** Whose it is to read; by default only its owner's. A folder that is made is for the same people. */
  readonly mode?: number;
  /** `false`: a folder that is not there is an error, as where somebody has named it. */
  readonly makeFolder?: boolean;
}

const ownerOnly = 0o600;
let drafts = 0;

/**
 * In the same folder, since a rename does not cross file systems; hidden from who lists it; of the same name after a restart, so that kills leave few. In
 * containers each process has the same number: of two that share a folder the host tells them apart.
 */
function draftOf(path: string): string {
  drafts += 1;
  return join(dirname(path), `.${basename(path)}.${hostname()}-${process.pid}-${drafts}.draft`);
}

/** Who may read the files in it may look into it. */
function folderMode(mode: number): number {
  return 0o700 | mode | ((mode & 0o444) >> 2);
}

/** What is there already is a draft that a kill has left, or somebody's link to another file: nothing is written through it. */
const newFile = 'wx';

/** Writes a file whole or not at all: whoever reads it meanwhile, and a start after a kill, find the old one or the new one. */
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

/** The same; when it resolves, it outlives a power cut as well. */
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
