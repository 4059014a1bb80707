import { Readable } from 'node:stream';
import { S3Client } from '@aws-sdk/client-s3';
import { FirebreakError } from '../../core/errors.ts';
import { boundedAnswer } from '../bounded-answers.ts';

export interface S3Options {
  /** Any server that speaks S3. Absent: Amazon's in the region. */
  readonly endpoint?: string;
  readonly region: string;
  /** The bucket must exist. */
  readonly bucket: string;
  /** Prepended to every key unchanged; empty or ending in `/`. */
  readonly prefix: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Milliseconds without any data sent or received before a request is aborted. Absent: half a minute. */
  readonly silentMs?: number;
  /** Milliseconds that a whole answer may take. Absent: five minutes. The content of an object may take longer. */
  readonly answersWithinMs?: number;
}

const defaultSilentMs = 30_000;
/** A trickling answer is never silent, so this limits it. No request carries more than 16 MiB or a thousand names, for which 56 KB per second are enough. */
const usualAnswerMs = 300_000;
/** A page of a thousand names takes about a megabyte. */
const largestAnswer = 16 * 1_048_576;

/** One bucket, below a prefix. */
export interface S3Place {
  readonly client: S3Client;
  readonly bucket: string;
  readonly prefix: string;
  /** The address of a key, as every request needs it. */
  at(key: string): { readonly Bucket: string; readonly Key: string };
}

/**
 * Path-style addresses, a size limit on every answer except an object's, and a time limit on every wait: for the connection, for any data during a request, and
 * for the answer. The SDK retries after such a timeout, with three attempts in all. The handler's `requestTimeout` is only a warning unless configured to
 * throw, and ends with the headers of an answer, not with its body (`httpHandlerInitialization.d.ts` of `@smithy/types`).
 */
export function openPlace(options: S3Options): S3Place {
  const { endpoint, region, bucket, prefix, accessKeyId, secretAccessKey } = options;
  const { silentMs = defaultSilentMs, answersWithinMs = usualAnswerMs } = options;
  const client = new S3Client({
    ...(endpoint !== undefined && { endpoint }),
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    maxAttempts: 3,
    // Not every server other than Amazon's knows the checksum trailers that are the default.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: 3_000,
      socketTimeout: silentMs,
      requestTimeout: answersWithinMs,
      throwOnRequestTimeout: true,
    },
  });
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const output = await next(args);
        const { body, statusCode } = output.response as { readonly body?: unknown; readonly statusCode?: number };
        const isContent = commandName === 'GetObjectCommand' && statusCode !== undefined && statusCode < 300;
        if (isContent) return output;
        if (body instanceof Readable) endWithin(body, answersWithinMs);
        return boundedAnswer(output, largestAnswer);
      },
    { step: 'deserialize', priority: 'low' },
  );
  return { client, bucket, prefix, at: (key) => ({ Bucket: bucket, Key: `${prefix}${key}` }) };
}

function endWithin(body: Readable, ms: number): void {
  const late = setTimeout(() => body.destroy(Object.assign(new Error('late'), { code: 'ETIMEDOUT' })), ms);
  body.once('close', () => clearTimeout(late));
}

/** The answer of S3, or one of the two outcomes that are not failures. */
type S3Result<Result> = Result | 'missing' | 'taken';

/** S3's own messages can contain names and request headers: only the error's name and status are passed on. @throws FB_ERR_UNAVAILABLE */
export async function answered<Result>(key: string, call: () => Promise<Result>): Promise<S3Result<Result>> {
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
      status === undefined ? `S3 does not answer: ${name}` : `S3 did not serve ${key}: ${name}, status ${status}`,
    );
  }
}

/** Without an answer, the connection's error code says more than the error's name. */
export function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return error.name === 'Error' && 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}

export function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return undefined;
  const { $metadata: metadata } = error;
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return undefined;
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined;
}
