import { createReadStream } from 'node:fs';
import { AbortMultipartUploadCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { FirebreakError } from '../../core/errors.ts';
import type { ObjectLock } from '../../core/evidence/object-bucket.ts';
import { isSha256 } from './drafted-file.ts';
import { lockOnly } from './object-lock.ts';
import { answered, type S3Place } from './s3-client.ts';

const leastPartBytes = 8 * 1024 * 1024;
/** Limit of S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const mostParts = 10_000;
/** Each part is in memory while it is uploaded. */
const atOnce = 3;

/** Larger files are uploaded in parts: a lost part is sent again, not the whole file; and one request takes at most 5 GB. */
export const partsFromBytes = 2 * leastPartBytes;

/** Uploads a file of any size as one object. Aborts the upload if it does not complete. @throws FB_ERR_UNAVAILABLE */
export async function uploadInParts(
  { client, at }: S3Place,
  file: {
    readonly key: string;
    readonly path: string;
    readonly bytes: number;
    readonly mediaType: string;
    readonly lock?: ObjectLock;
  },
): Promise<void> {
  const { key, path, bytes, mediaType, lock } = file;
  const source = createReadStream(path);
  const params = {
    ...at(key),
    Body: source,
    ContentLength: bytes,
    ContentType: mediaType,
    ...(lock && { ...lockOnly(lock), ChecksumAlgorithm: 'SHA256' as const }),
  };
  const partSize = Math.max(leastPartBytes, Math.ceil(bytes / mostParts));
  try {
    const done = await answered(key, () => new Upload({ client, params, partSize, queueSize: atOnce }).done());
    if (typeof done === 'string') throw new FirebreakError('FB_ERR_UNAVAILABLE', `S3 has abandoned the upload of ${key}`);
  } finally {
    source.destroy();
  }
}

async function abort({ client, at }: S3Place, key: string, uploadId: string): Promise<void> {
  await answered(key, () => client.send(new AbortMultipartUploadCommand({ ...at(key), UploadId: uploadId })));
}

/**
 * Aborts uploads of evidence that began before then and never completed: a killed process left them, and their parts are stored and paid for, but appear in no
 * list of objects. Only below the prefix, and only under names that evidence has.
 */
export async function abortOrphans(place: S3Place, before: Date): Promise<number> {
  const { client, bucket, prefix } = place;
  const orphans: { readonly key: string; readonly uploadId: string }[] = [];
  let from: { readonly KeyMarker?: string; readonly UploadIdMarker?: string } = {};
  for (;;) {
    const query = { Bucket: bucket, Prefix: prefix, ...from };
    const page = await answered('the uploads', () => client.send(new ListMultipartUploadsCommand(query)));
    if (typeof page === 'string') break;
    for (const { Key: name = '', UploadId: uploadId, Initiated: begun } of page.Uploads ?? []) {
      const key = name.slice(prefix.length);
      const isOld = begun !== undefined && begun.getTime() < before.getTime();
      if (name.startsWith(prefix) && isSha256(key) && uploadId !== undefined && isOld) orphans.push({ key, uploadId });
    }
    const { NextKeyMarker: key, NextUploadIdMarker: upload } = page;
    if (!page.IsTruncated || key === undefined) break;
    from = { KeyMarker: key, ...(upload !== undefined && { UploadIdMarker: upload }) };
  }
  for (const { key, uploadId } of orphans) await abort(place, key, uploadId);
  return orphans.length;
}
