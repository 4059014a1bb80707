import { Readable } from 'node:stream';
import { S3Client } from '@aws-sdk/client-s3';
import { FirebreakError } from '../../core/errors.ts';
import { boundedAnswer } from '../bounded-answers.ts';

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
  /** How long nothing at all may come or be taken before a request is given up, in milliseconds; absent: half a minute. */
  readonly silentMs?: number;
  /** How long an answer may take in all, in milliseconds; absent: five minutes. What an object holds may take longer. */
  readonly answersWithinMs?: number;
}

const defaultSilentMs = 30_000;
/** One that trickles is never silent. No request carries more than 16 MiB or a thousand names, which 56 KB a second are enough for. */
const usualAnswerMs = 300_000;
/** A page of a thousand names has a megabyte. */
const largestAnswer = 16 * 1_048_576;

/** One bucket, below a prefix. */
export interface S3Place {
  readonly client: S3Client;
  readonly bucket: string;
  readonly prefix: string;
  /** The address of a key, as every request has it. */
  at(key: string): { readonly Bucket: string; readonly Key: string };
}

/**
 * Path-style addresses, an end to every answer but an object's, and to every wait: for the connection, for any sign of life while one is up, and for the answer. What is given up
 * by one of them is tried again by the SDK, three times in all.
 * The handler's `requestTimeout` is only a warning unless it is told to throw, and ends with the headers of an answer, not with its body
 * (`httpHandlerInitialization.d.ts` of `@smithy/types`).
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
    // Other servers than Amazon's do not all know the checksum trailers that are the default.
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

/** What S3 said, or which of the two answers that are no failure. */
type S3Result<Result> = Result | 'missing' | 'taken';

/** S3's own messages can hold names and request headers: only the error's name and status go on. @throws FB_ERR_UNAVAILABLE */
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

/** Where there was no answer, the code of the connection says more than its name does. */
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
