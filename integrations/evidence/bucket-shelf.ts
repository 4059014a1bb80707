import type { EvidenceShelf } from '../../core/evidence-shelf.ts';
import { openBucket, type S3Options } from './bucket.ts';

/** Objects below the prefix. What is removed is removed in all its versions, so that a bucket with versions keeps no key behind. */
export function createBucketShelf(options: S3Options): EvidenceShelf {
  const bucket = openBucket(options);
  return {
    async add(name, bytes) {
      const content = { body: bytes, bytes: bytes.byteLength, mediaType: 'application/json', ifAbsent: true };
      await bucket.put({ key: name, ...content });
    },
    get: async (name) => ((await bucket.has(name)) ? bucket.get(name) : undefined),
    names: async function* (folder) {
      for await (const key of bucket.keys(`${folder}/`)) yield key.slice(folder.length + 1);
    },
    remove: (name) => bucket.remove(name),
    locked: async () => undefined,
  };
}
