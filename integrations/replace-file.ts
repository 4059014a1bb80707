import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

interface Replacement {
  readonly path: string;
  readonly content: string | Uint8Array;
  /** Whose it is to read; by default only its owner's. */
  readonly mode?: number;
  /** `false`: a folder that is not there is an error, as where somebody has named it. */
  readonly makeFolder?: boolean;
}

const ownerOnly = 0o600;
let drafts = 0;

/** In the same folder, since a rename does not cross file systems; hidden from who lists it; of the same name after a restart, so that kills leave few. */
function draftOf(path: string): string {
  drafts += 1;
  return join(dirname(path), `.${basename(path)}.${process.pid}-${drafts}.draft`);
}

/** Writes a file whole or not at all: whoever reads it meanwhile, and a start after a kill, find the old one or the new one. */
export function replaceFileSync({
  path,
  content,
  mode = ownerOnly,
  makeFolder = true,
  flush = true,
}: Replacement & { readonly flush?: boolean }): void {
  const draft = draftOf(path);
  try {
    if (makeFolder) mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(draft, content, { mode, flush });
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

/** The same; when it resolves, it outlives a power cut as well. */
export async function replaceFile({ path, content, mode = ownerOnly, makeFolder = true }: Replacement): Promise<void> {
  const draft = draftOf(path);
  try {
    if (makeFolder) await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(draft, content, { mode, flush: true });
    await rename(draft, path);
    const folder = await open(dirname(path), 'r');
    await folder.sync().finally(() => folder.close());
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}
