import { S3Client } from '@aws-sdk/client-s3';
import { FirebreakError } from '../../core/errors.ts';

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

/** One bucket, below a prefix. */
export interface S3Place {
  readonly client: S3Client;
  readonly bucket: string;
  readonly prefix: string;
  /** The address of a key, as every request has it. */
  at(key: string): { readonly Bucket: string; readonly Key: string };
}

/** Path-style addresses and short time-outs. */
export function openPlace(options: S3Options): S3Place {
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
  return { client, bucket, prefix, at: (key) => ({ Bucket: bucket, Key: `${prefix}${key}` }) };
}

/** What S3 said, or which of the two answers that are no failure. */
export type Answer<Result> = Result | 'missing' | 'taken';

/** S3's own messages can hold names and request headers: only the error's name and status go on. @throws FB_ERR_UNAVAILABLE */
export async function answered<Result>(key: string, call: () => Promise<Result>): Promise<Answer<Result>> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof FirebreakError) throw error;
    const status = statusOf(error);
    const name = nameOf(error);
    if (status === 404 && name !== 'NoSuchBucket') return 'missing';
    if (status === 412) return 'taken';
    throw new FirebreakError(
      'FB_ERR_UNAVAILABLE',
      `S3 did not serve ${key}: ${name}${status === undefined ? '' : `, status ${status}`}`,
    );
  }
}

export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown';
}

export function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return undefined;
  const { $metadata: metadata } = error;
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return undefined;
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined;
}
