import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { FirebreakError } from '../../core/errors.ts';
import type { ObjectBucket } from '../../core/object-bucket.ts';

export interface S3Options {
  /** Any server that speaks S3; absent: Amazon's in the region. */
  readonly endpoint?: string;
  readonly region: string;
  /** It must exist. */
  readonly bucket: string;
  /** Put before every key, as it is; empty or ending in `/`. */
  readonly prefix: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A bucket with path-style addresses and short time-outs. */
export function openBucket(options: S3Options): ObjectBucket {
  const { endpoint, region, bucket, prefix, accessKeyId, secretAccessKey } = options;
  const client = new S3Client({
    ...(endpoint !== undefined && { endpoint }),
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    maxAttempts: 3,
    // Other servers than Amazon's do not all know the checksum trailers that are the default.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { connectionTimeout: 3000, requestTimeout: 60_000 },
  });
  const at = (key: string) => ({ Bucket: bucket, Key: `${prefix}${key}` });
  return {
    put: async ({ key, body, bytes, mediaType, ifAbsent = false }) => {
      const content = {
        Body: body instanceof Uint8Array ? body : Readable.from(body),
        ContentLength: bytes,
        ContentType: mediaType,
      };
      const outcome = await answered(key, () =>
        client.send(new PutObjectCommand({ ...at(key), ...content, ...(ifAbsent && { IfNoneMatch: '*' }) })),
      );
      return { written: outcome !== 'taken' };
    },
    get: async (key) => {
      const outcome = await answered(key, async () => {
        const { Body: body } = await client.send(new GetObjectCommand(at(key)));
        return body?.transformToByteArray();
      });
      if (outcome instanceof Uint8Array) return outcome;
      throw new FirebreakError('FB_ERR_NOT_FOUND', `there is no object ${key} in the bucket`);
    },
    read: async function* (key) {
      const outcome = await answered(key, async () => (await client.send(new GetObjectCommand(at(key)))).Body);
      if (!(outcome instanceof Readable)) throw new FirebreakError('FB_ERR_NOT_FOUND', `there is no object ${key} in the bucket`);
      try {
        yield* outcome;
      } catch {
        throw new FirebreakError('FB_ERR_UNAVAILABLE', `S3 stopped sending ${key}`);
      }
    },
    has: async (key) => (await answered(key, () => client.send(new HeadObjectCommand(at(key))))) !== 'missing',
    remove: async (key) => {
      const query = { Bucket: bucket, Prefix: `${prefix}${key}` };
      const found = await answered(key, () => client.send(new ListObjectVersionsCommand(query)));
      const { Versions: versions = [], DeleteMarkers: markers = [] } = typeof found === 'string' ? {} : found;
      const own = [...versions, ...markers].filter(({ Key: name }) => name === query.Prefix);
      for (const { VersionId: version } of own)
        await answered(key, () =>
          client.send(new DeleteObjectCommand({ ...at(key), ...(version !== undefined && { VersionId: version }) })),
        );
    },
    keys: async function* (folder) {
      let next: string | undefined;
      do {
        const query = { Bucket: bucket, Prefix: `${prefix}${folder}`, ...(next !== undefined && { ContinuationToken: next }) };
        const page = await answered(folder, () => client.send(new ListObjectsV2Command(query)));
        if (typeof page === 'string') return;
        for (const { Key: key } of page.Contents ?? []) if (key) yield key.slice(prefix.length);
        next = page.NextContinuationToken;
      } while (next !== undefined);
    },
  };
}

/** S3's own messages can hold names and request headers: only the error's name and status go on. */
async function answered<Result>(key: string, call: () => Promise<Result>): Promise<Result | 'missing' | 'taken'> {
  try {
    return await call();
  } catch (error) {
    const status = statusOf(error);
    const name = error instanceof Error ? error.name : 'unknown';
    if (status === 404 && name !== 'NoSuchBucket') return 'missing';
    if (status === 412) return 'taken';
    throw new FirebreakError(
      'FB_ERR_UNAVAILABLE',
      `S3 did not serve ${key}: ${name}${status === undefined ? '' : `, status ${status}`}`,
    );
  }
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return undefined;
  const { $metadata: metadata } = error;
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return undefined;
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined;
}
