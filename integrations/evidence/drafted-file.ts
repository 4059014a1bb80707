import { createHash, randomUUID } from 'node:crypto';
import { open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import type { EvidenceBytes } from '../../core/evidence-store.ts';

/** A scratch folder is shared with others. */
const draftPrefix = 'firebreak-evidence-';
const draftName = /^firebreak-evidence-[0-9a-f-]{36}\.draft$/;

export interface DraftedFile {
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** Of one file this much and as much again is not on the disk yet, at most: the end has not all of it to wait for. */
const unsyncedBytes = 32 * 1024 * 1024;

/** Writes bytes as they come into a new file of the folder, on the disk when it resolves. The file is gone when that fails. */
export async function draftFile(folder: string, data: EvidenceBytes): Promise<DraftedFile> {
  const path = join(folder, `${draftPrefix}${randomUUID()}.draft`);
  const hash = createHash('sha256');
  let bytes = 0;
  let unsynced = 0;
  let syncing = Promise.resolve();
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const part of data instanceof Uint8Array ? [data] : data) {
      hash.update(part);
      bytes += part.byteLength;
      await file.appendFile(part);
      unsynced += part.byteLength;
      if (unsynced < unsyncedBytes) continue;
      // A kernel tells of a failed write once, to whoever syncs next: none of these may be overheard.
      await syncing;
      syncing = file.datasync();
      syncing.catch(() => undefined);
      unsynced = 0;
    }
    await syncing;
    await file.sync();
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  return { path, sha256: hash.digest('hex'), bytes };
}

/** Files that a process has left here that was killed: those of this name that nobody has written to since. How many. */
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

/** Passes on what is read, and throws FB_ERR_EVIDENCE_DAMAGED at its end where it is not what the name says. */
export async function* checkedStream(data: AsyncIterable<Uint8Array>, sha256: string): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  for await (const part of data) {
    hash.update(part);
    yield part;
  }
  if (hash.digest('hex') !== sha256)
    throw new FirebreakError('FB_ERR_EVIDENCE_DAMAGED', `the object ${sha256} has other contents`);
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A name that came from somewhere else is only used as a path or a key when it is a digest. */
export function isSha256(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}
