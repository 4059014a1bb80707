import { createHash, randomUUID } from 'node:crypto';
import { readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import type { EvidenceBytes } from '../../core/evidence/evidence-store.ts';
import { createBlockFile } from './block-file.ts';

/** A distinctive name, since a scratch folder is shared with others. */
const draftPrefix = 'firebreak-evidence-';
const draftName = /^firebreak-evidence-[0-9a-f-]{36}\.draft$/;

export interface DraftedFile {
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
}

/**
 * Streams bytes into a new file of the folder, which is on the disk when it resolves. If that fails, the file is removed. A stream that is `kept` there
 * bypasses the page cache: nobody reads it soon except the verifier, which should read it from the disk.
 */
export async function draftFile(
  folder: string,
  data: EvidenceBytes,
  { kept = false }: { readonly kept?: boolean } = {},
): Promise<DraftedFile> {
  const path = join(folder, `${draftPrefix}${randomUUID()}.draft`);
  try {
    return { path, ...(await (data instanceof Uint8Array ? wholeInto(path, data) : streamInto(path, data, kept))) };
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

async function wholeInto(path: string, data: Uint8Array): Promise<Omit<DraftedFile, 'path'>> {
  await writeFile(path, data, { flag: 'wx', mode: 0o600, flush: true });
  return { sha256: sha256Of(data), bytes: data.byteLength };
}

async function streamInto(path: string, data: AsyncIterable<Uint8Array>, pastCache: boolean): Promise<Omit<DraftedFile, 'path'>> {
  const hash = createHash('sha256');
  let bytes = 0;
  const file = await createBlockFile(path, { pastCache });
  try {
    for await (const part of data) {
      hash.update(part);
      bytes += part.byteLength;
      await file.write(part);
    }
    await file.finish();
  } finally {
    await file.close();
  }
  return { sha256: hash.digest('hex'), bytes };
}

/** Removes files that a killed process left here: those with this name that have not been written to since. Returns how many. */
export async function removeOldDrafts(folder: string, before: Date): Promise<number> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => draftName.test(name));
  let removed = 0;
  for (const name of names) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined);
    if (!found?.isFile() || found.mtimeMs >= before.getTime()) continue;
    await rm(path, { force: true });
    removed += 1;
  }
  return removed;
}

/** Passes data through, and throws FB_ERR_EVIDENCE_DAMAGED at the end if its digest does not match. */
export async function* checkedStream(data: AsyncIterable<Uint8Array>, sha256: string): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  for await (const part of data) {
    hash.update(part);
    yield part;
  }
  if (hash.digest('hex') !== sha256)
    throw new FirebreakError('FB_ERR_EVIDENCE_DAMAGED', `the object ${sha256} has different contents`);
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A name from elsewhere is used as a path or a key only if it is a digest. */
export function isSha256(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}
