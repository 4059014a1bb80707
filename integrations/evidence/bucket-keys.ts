import { openBucket, type S3Options } from './bucket.ts';
import { checkedKeyId, type KeyPlace } from './incident-keys.ts';

/** Objects `PREFIX` + `keys/ID`. In a bucket with object lock or versions a key that is deleted is still there: keep these elsewhere then. */
export function bucketKeyPlace(options: S3Options): KeyPlace {
  const bucket = openBucket(options);
  const keyOf = (id: string): string => `keys/${checkedKeyId(id)}`;
  return {
    async add(id, wrapped) {
      const content = { body: wrapped, bytes: wrapped.byteLength, mediaType: 'application/octet-stream', ifAbsent: true };
      await bucket.put({ key: keyOf(id), ...content });
    },
    get: async (id) => ((await bucket.has(keyOf(id))) ? bucket.get(keyOf(id)) : undefined),
  };
}
