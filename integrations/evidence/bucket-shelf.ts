import { undefinedIf } from '../../core/errors.ts';
import type { EvidenceShelf } from '../../core/evidence/evidence-shelf.ts';
import { bucketAt } from './bucket.ts';
import { sha256Of } from './drafted-file.ts';
import { whyLocked } from './object-lock.ts';
import { openPlace, type S3Options } from './s3-client.ts';
import { type LockRules, lockFor } from './s3-store.ts';

/**
 * Objects below the prefix. Removing an object removes all its versions, so that a versioned bucket retains no key. If objects are locked, so is everything
 * that belongs to a class of evidence: then nobody can destroy its key early.
 */
export function createBucketShelf(options: S3Options & { readonly lock?: LockRules }): EvidenceShelf {
  const place = openPlace(options);
  const bucket = bucketAt(place);
  return {
    async add(name, bytes, kind) {
      const lock = kind && lockFor(options.lock, sha256Of(bytes), kind);
      const content = { body: bytes, bytes: bytes.byteLength, mediaType: 'application/json', ifAbsent: true };
      await bucket.put({ key: name, ...content, ...(lock && { lock }) });
    },
    async get(name) {
      return bucket.get(name).catch(undefinedIf('FB_ERR_NOT_FOUND'));
    },
    names: async function* (folder) {
      for await (const key of bucket.keys(`${folder}/`)) yield key.slice(folder.length + 1);
    },
    remove: (name) => bucket.remove(name),
    locked: (name) => whyLocked(place, name),
  };
}
