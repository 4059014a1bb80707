import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip, gzipSync } from 'node:zlib';
import { FirebreakError } from '../../core/errors.ts';
import type { ObjectBucket } from '../../core/evidence/object-bucket.ts';
import type { BucketObjects, Receiver, StreamEvent, StreamOutcome } from '../../core/streams/stream.ts';
import { inTime } from './in-time.ts';

const compress = promisify(gzip);

/** The format in which events become one object. */
interface ObjectForm {
  readonly suffix: string;
  readonly mediaType: string;
  readonly contents: (events: readonly StreamEvent[]) => Promise<Uint8Array>;
}

const forms: Readonly<Record<BucketObjects, ObjectForm>> = {
  ndjson: {
    suffix: 'ndjson.gz',
    mediaType: 'application/gzip',
    contents: (events) => compress(`${events.map(({ json }) => json).join('\n')}\n`),
  },
  parquet: { suffix: 'parquet', mediaType: 'application/vnd.apache.parquet', contents: parquetOf },
};

/**
 * Writes one object per delivery, below a folder for each hour: gzipped lines of JSON, or Parquet. The same events give the same content, whose hash is in the
 * name. After a crash, events may be sent again together with other events: readers must drop duplicates by id.
 */
export function createBucketReceiver({
  bucket,
  objects,
  timeoutMs,
}: {
  readonly bucket: ObjectBucket;
  readonly objects: BucketObjects;
  readonly timeoutMs: number;
}): Receiver {
  const { suffix, mediaType, contents } = forms[objects];
  return {
    deliver: async (events, signal) => {
      const body = await contents(events);
      const key = `${placeOf(new Date(), createHash('sha256').update(body).digest('hex'))}.${suffix}`;
      const put = bucket.put({ key, body, bytes: body.byteLength, mediaType }).then(
        (): StreamOutcome => ({ state: 'delivered', answer: key }),
        (error: unknown): StreamOutcome => ({
          state: 'later',
          // Keeps the reason the same each time, although the object's name changes.
          reason: error instanceof FirebreakError ? error.detail.replaceAll(key, 'the object') : 'it failed',
        }),
      );
      return inTime(put, { signal, timeoutMs });
    },
    close: async () => undefined,
  };
}

/** By the hour of delivery, in order of time. */
function placeOf(now: Date, sha256: string): string {
  const [day = '', time = ''] = now.toISOString().split('T');
  return `${day.replaceAll('-', '/')}/${time.slice(0, 2)}/${day}T${time.replaceAll(/[:.]/g, '')}-${sha256.slice(0, 16)}`;
}

/** The same columns for every event; the last one holds its whole JSON. https://parquet.apache.org/docs/file-format/ */
async function parquetOf(events: readonly StreamEvent[]): Promise<Uint8Array> {
  const { parquetWriteBuffer } = await import('hyparquet-writer');
  const written = parquetWriteBuffer({
    columnData: [
      { name: 'id', data: events.map(({ id }) => id), type: 'STRING', nullable: false },
      { name: 'chain', data: events.map(({ chain }) => chain), type: 'STRING', nullable: false },
      { name: 'time', data: events.map(({ at }) => new Date(at)), type: 'TIMESTAMP', nullable: false },
      { name: 'kind', data: events.map(({ kind }) => kind), type: 'STRING', nullable: false },
      // Statistics would contain two whole events; the writer serialises the value itself.
      { name: 'event', data: events.map(({ json }) => JSON.parse(json)), type: 'JSON', nullable: false, statistics: false },
    ],
    codec: 'GZIP',
    compressors: { GZIP: (input) => gzipSync(input, { level: 1 }) },
    rowGroupSize: events.length,
    createdBy: 'firebreak',
  });
  return new Uint8Array(written);
}
