import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { FirebreakError } from '../../core/errors.ts';
import type { EvidenceClass } from '../../core/evidence/evidence.ts';
import type { EvidenceStore } from '../../core/evidence/evidence-store.ts';
import type { ObjectLock } from '../../core/evidence/object-bucket.ts';
import { bucketAt } from './bucket.ts';
import { checkedStream, draftFile, isSha256, removeOldDrafts, sha256Of } from './drafted-file.ts';
import { abortOrphans, partsFromBytes, uploadInParts } from './multipart.ts';
import { offersLock } from './object-lock.ts';
import { openPlace, type S3Options } from './s3-client.ts';

/** How long the bucket itself lets nobody remove its objects. */
export interface LockRules {
  readonly mode: ObjectLock['mode'];
  readonly days: Readonly<Record<EvidenceClass, number>>;
}

/**
 * The lock requested from the bucket; for what belongs to no class (the list of the rest), as long as the longest class. Undefined if that is no time at all.
 */
export function lockFor(rules: LockRules | undefined, sha256: string, kind?: EvidenceClass): ObjectLock | undefined {
  if (!rules) return undefined;
  const days = kind ? rules.days[kind] : Math.max(...Object.values(rules.days));
  return days > 0 ? { mode: rules.mode, until: new Date(Date.now() + days * 86_400_000), sha256 } : undefined;
}

/** @throws FB_ERR_CONFIG_INVALID if the bucket cannot lock objects; FB_ERR_UNAVAILABLE */
export async function requireLock(options: S3Options): Promise<void> {
  if (await offersLock(openPlace(options))) return;
  throw new FirebreakError(
    'FB_ERR_CONFIG_INVALID',
    `evidence.s3.objectLock is set, but the bucket ${options.bucket} has no object lock: create the bucket with object lock enabled`,
  );
}

/**
 * Artefacts as objects `PREFIX` + SHA-256. A stream first goes to a file in `scratchDir` (default: the system's), mode 0600 and removed afterwards, because an
 * object needs its name and length before its bytes.
 */
export function createS3Store(options: S3Options & { readonly scratchDir?: string; readonly lock?: LockRules }): EvidenceStore {
  const place = openPlace(options);
  const bucket = bucketAt(place);
  const { scratchDir = tmpdir(), lock: rules } = options;
  return {
    put: async (data, mediaType, kind) => {
      if (data instanceof Uint8Array) {
        const kept = { sha256: sha256Of(data), bytes: data.byteLength };
        const lock = lockFor(rules, kept.sha256, kind);
        await bucket.put({ key: kept.sha256, body: data, bytes: kept.bytes, mediaType, ...(lock && { lock }) });
        return kept;
      }
      const { path, sha256, bytes } = await draftFile(scratchDir, data);
      try {
        const lock = lockFor(rules, sha256, kind);
        const object = { key: sha256, bytes, mediaType, ...(lock && { lock }) };
        if (bytes >= partsFromBytes) await uploadInParts(place, { ...object, path });
        // In memory, as a part would be: the SDK may send bytes again, and a stream can be sent only once.
        else await bucket.put({ ...object, body: await readFile(path) });
      } finally {
        await rm(path, { force: true });
      }
      return { sha256, bytes };
    },
    get: async (sha256) => {
      if (!isSha256(sha256)) throw new FirebreakError('FB_ERR_NOT_FOUND', `there is no evidence ${sha256}`);
      const bytes = await bucket.get(sha256);
      if (sha256Of(bytes) === sha256) return bytes;
      throw new FirebreakError('FB_ERR_EVIDENCE_DAMAGED', `the object ${sha256} has different contents`);
    },
    read: (sha256) => {
      if (!isSha256(sha256)) throw new FirebreakError('FB_ERR_NOT_FOUND', `there is no evidence ${sha256}`);
      return checkedStream(bucket.read(sha256), sha256);
    },
    has: async (sha256) => isSha256(sha256) && bucket.has(sha256),
    sweep: async (before) => (await removeOldDrafts(scratchDir, before)) + (await abortOrphans(place, before)),
  };
}
