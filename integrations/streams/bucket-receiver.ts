import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { FirebreakError } from '../../core/errors.ts';
import type { ObjectBucket } from '../../core/evidence/object-bucket.ts';
import type { Receiver, StreamOutcome } from '../../core/streams/stream.ts';
import { inTime } from './in-time.ts';

const compress = promisify(gzip);

/**
 * One object a delivery: lines of JSON, zipped, below a folder for each hour. The same events make the same content, whose hash is in the name; what is
 * sent again after a crash may be with other events: whoever reads leaves out by their ids what comes twice.
 */
export function createBucketReceiver({
  bucket,
  timeoutMs,
}: {
  readonly bucket: ObjectBucket;
  readonly timeoutMs: number;
}): Receiver {
  return {
    deliver: async (events, signal) => {
      const body = await compress(`${events.map(({ json }) => json).join('\n')}\n`);
      const key = keyOf(new Date(), createHash('sha256').update(body).digest('hex'));
      const put = bucket.put({ key, body, bytes: body.byteLength, mediaType: 'application/gzip' }).then(
        (): StreamOutcome => ({ state: 'delivered', answer: key }),
        (error: unknown): StreamOutcome => ({
          state: 'later',
          reason: error instanceof FirebreakError ? error.code : 'it failed',
        }),
      );
      return inTime(put, { signal, timeoutMs });
    },
    close: async () => undefined,
  };
}

/** By the hour in which it was delivered, in order of time. */
function keyOf(now: Date, sha256: string): string {
  const [day = '', time = ''] = now.toISOString().split('T');
  return `${day.replaceAll('-', '/')}/${time.slice(0, 2)}/${day}T${time.replaceAll(/[:.]/g, '')}-${sha256.slice(0, 16)}.ndjson.gz`;
}
