import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { FirebreakError } from '../../core/errors.ts';
import type { EvidenceStore } from '../../core/evidence-store.ts';
import { openBucket, type S3Options } from './bucket.ts';
import { checkedStream, draftFile, isSha256, sha256Of } from './drafted-file.ts';

/**
 * Artefacts as objects `PREFIX` + SHA-256. A stream goes through a file in `scratchDir` (default: the
 * system's) first, mode 0600 and removed after, because
 * an object needs its name and length before its bytes.
 */
export function createS3Store(options: S3Options & { readonly scratchDir?: string }): EvidenceStore {
  const bucket = openBucket(options);
  const { scratchDir = tmpdir() } = options;
  return {
    put: async (data, mediaType) => {
      if (data instanceof Uint8Array) {
        const kept = { sha256: sha256Of(data), bytes: data.byteLength };
        await bucket.put({ key: kept.sha256, body: data, bytes: kept.bytes, mediaType });
        return kept;
      }
      const { path, sha256, bytes } = await draftFile(scratchDir, data);
      try {
        await bucket.put({ key: sha256, body: createReadStream(path), bytes, mediaType });
      } finally {
        await rm(path, { force: true });
      }
      return { sha256, bytes };
    },
    get: async (sha256) => {
      if (!isSha256(sha256)) throw new FirebreakError('FB_ERR_NOT_FOUND', `there is no evidence ${sha256}`);
      const bytes = await bucket.get(sha256);
      if (sha256Of(bytes) === sha256) return bytes;
      throw new FirebreakError('FB_ERR_EVIDENCE_DAMAGED', `the object ${sha256} has other contents`);
    },
    read: (sha256) => {
      if (!isSha256(sha256)) throw new FirebreakError('FB_ERR_NOT_FOUND', `there is no evidence ${sha256}`);
      return checkedStream(bucket.read(sha256), sha256);
    },
    has: async (sha256) => isSha256(sha256) && bucket.has(sha256),
  };
}
