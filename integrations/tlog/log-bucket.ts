import { FirebreakError, undefinedIf } from '../../core/errors.ts';
import type { ObjectBucket, ObjectLock } from '../../core/evidence/object-bucket.ts';
import { sha256Hex } from '../../core/text/digest.ts';
import { type LogFiles, logHeadPath } from '../../core/tlog/log-tree.ts';

/**
 * A log's files in a bucket, under the names that readers of such logs request. All files except the head are only created, never replaced; with an object lock
 * nobody can remove one before its time.
 */
export function createLogBucket({
  bucket,
  name,
  lock,
  now = () => new Date(),
}: {
  readonly bucket: Pick<ObjectBucket, 'put' | 'get'>;
  readonly name: string;
  readonly lock?: Pick<ObjectLock, 'mode'> & { readonly days: number };
  readonly now?: () => Date;
}): LogFiles {
  return {
    description: `bucket ${name}`,
    read: async (path) => {
      return bucket.get(path).catch(undefinedIf('FB_ERR_NOT_FOUND'));
    },
    write: async ({ path, bytes }) => {
      const object = { key: path, body: bytes, bytes: bytes.byteLength };
      if (path === logHeadPath) {
        await bucket.put({ ...object, mediaType: 'text/plain; charset=utf-8' });
        return;
      }
      const until = new Date(now().getTime() + (lock?.days ?? 0) * 86_400_000);
      const { written } = await bucket.put({
        ...object,
        mediaType: 'application/octet-stream',
        ifAbsent: true,
        ...(lock && { lock: { mode: lock.mode, until, sha256: sha256Hex(bytes) } }),
      });
      if (written || Buffer.from(await bucket.get(path)).equals(bytes)) return;
      throw new FirebreakError(
        'FB_ERR_CONFLICT',
        `the bucket ${name} has a different ${path}: it holds another log, or an older one`,
      );
    },
  };
}
