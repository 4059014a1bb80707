import { createReadStream } from 'node:fs';
import { access, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import type { EvidenceStore } from '../../core/evidence/evidence-store.ts';
import { systemErrorCode } from '../../core/system-error.ts';
import { ensureFolder } from '../ensure-folder.ts';
import { checkedStream, type DraftedFile, draftFile, isSha256, removeOldDrafts, sha256Of } from './drafted-file.ts';
import { syncFolder } from './sync-folder.ts';

/** Bytes read at once. */
const largestPart = 1024 * 1024;

/** `DIR/ab/abcd…`: written next to it, synced, then renamed, so that an artefact exists completely or not at all. Readable by its owner only. */
export function createFolderStore({ dir }: { readonly dir: string }): EvidenceStore {
  const pathOf = (sha256: string): string => join(dir, sha256.slice(0, 2), sha256);
  return {
    put: (data) =>
      guarded(async () => {
        await ensureFolder(dir, 0o700);
        const draft = await draftFile(dir, data, { kept: true });
        await settle(draft, pathOf(draft.sha256));
        return { sha256: draft.sha256, bytes: draft.bytes };
      }),
    get: async (sha256) => {
      if (!isSha256(sha256)) throw missing(sha256);
      const bytes = await guarded(() => readFile(pathOf(sha256)), sha256);
      if (sha256Of(bytes) === sha256) return bytes;
      throw new FirebreakError('FB_ERR_EVIDENCE_DAMAGED', `the file ${sha256} has different contents`);
    },
    read: (sha256) => {
      if (!isSha256(sha256)) throw missing(sha256);
      return readGuarded(pathOf(sha256), sha256);
    },
    has: async (sha256) =>
      isSha256(sha256) &&
      access(pathOf(sha256)).then(
        () => true,
        () => false,
      ),
    sweep: (before) => removeOldDrafts(dir, before),
  };
}

async function* readGuarded(path: string, sha256: string): AsyncGenerator<Uint8Array> {
  const { size } = await guarded(() => stat(path), sha256);
  const highWaterMark = Math.min(largestPart, Math.max(1, size));
  const parts = checkedStream(createReadStream(path, { highWaterMark }), sha256);
  try {
    for (;;) {
      const { value, done } = await guarded(() => parts.next(), sha256);
      if (done) return;
      yield value;
    }
  } finally {
    await parts.return(undefined);
  }
}

async function settle(draft: DraftedFile, path: string): Promise<void> {
  try {
    await ensureFolder(dirname(path), 0o700);
    await rename(draft.path, path);
    await syncFolder(dirname(path));
    await syncFolder(dirname(dirname(path)));
  } finally {
    await rm(draft.path, { force: true });
  }
}

async function guarded<Result>(work: () => Promise<Result>, sha256?: string): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const code = systemErrorCode(error);
    if (sha256 !== undefined && code === 'ENOENT') throw missing(sha256);
    // Errors of the source of the bytes are passed on unchanged.
    if (code === undefined || error instanceof FirebreakError) throw error;
    throw new FirebreakError('FB_ERR_UNAVAILABLE', `the evidence folder: ${code}`);
  }
}

function missing(sha256: string): FirebreakError {
  return new FirebreakError('FB_ERR_NOT_FOUND', `there is no evidence ${sha256}`);
}
