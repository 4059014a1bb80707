import { type FileHandle, open } from 'node:fs/promises';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { FirebreakError } from '../../core/errors.ts';
import type { ObjectLock } from '../../core/evidence/object-bucket.ts';
import { isSha256, sha256Of } from './drafted-file.ts';
import { lockOnly } from './object-lock.ts';
import { answered, type S3Place } from './s3-client.ts';

const leastPartBytes = 8 * 1024 * 1024;
/** Of S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const mostParts = 10_000;
/** Each is in memory while it is on its way. */
const atOnce = 3;

/** What is larger goes up in parts: one that is lost is sent again, not all of it; and one request takes 5 GB at most. */
export const partsFromBytes = 2 * leastPartBytes;

/** A file of any size as one object. What was sent is taken back when it does not come to an end. @throws FB_ERR_UNAVAILABLE */
export async function uploadInParts(
  place: S3Place,
  file: {
    readonly key: string;
    readonly path: string;
    readonly bytes: number;
    readonly mediaType: string;
    readonly lock?: ObjectLock;
  },
): Promise<void> {
  const { key, path, bytes, mediaType, lock } = file;
  const { client, at } = place;
  const checked = lock && ({ ChecksumAlgorithm: 'SHA256' } as const);
  const begun = await answered(key, () =>
    client.send(
      new CreateMultipartUploadCommand({ ...at(key), ContentType: mediaType, ...(lock && { ...lockOnly(lock), ...checked }) }),
    ),
  );
  const UploadId = typeof begun === 'string' ? undefined : begun.UploadId;
  if (UploadId === undefined) throw new FirebreakError('FB_ERR_UNAVAILABLE', `S3 did not begin an upload of ${key}`);
  const partBytes = Math.max(leastPartBytes, Math.ceil(bytes / mostParts));
  const source = await open(path, 'r');
  try {
    const send = async (number: number): Promise<CompletedPart> => {
      const body = await partOf(source, {
        from: (number - 1) * partBytes,
        bytes: Math.min(partBytes, bytes - (number - 1) * partBytes),
      });
      const sum = checked && { ChecksumSHA256: Buffer.from(sha256Of(body), 'hex').toString('base64') };
      const sent = await answered(key, () =>
        client.send(
          new UploadPartCommand({ ...at(key), UploadId, PartNumber: number, Body: body, ContentLength: body.length, ...sum }),
        ),
      );
      if (typeof sent === 'string') throw new FirebreakError('FB_ERR_UNAVAILABLE', `S3 has given up the upload of ${key}`);
      return { PartNumber: number, ...(sent.ETag !== undefined && { ETag: sent.ETag }), ...sum };
    };
    const Parts = await allOf(Math.ceil(bytes / partBytes), send);
    const done = await answered(key, () =>
      client.send(new CompleteMultipartUploadCommand({ ...at(key), UploadId, MultipartUpload: { Parts } })),
    );
    if (typeof done === 'string') throw new FirebreakError('FB_ERR_UNAVAILABLE', `S3 has given up the upload of ${key}`);
  } catch (error) {
    // Where that fails, too, the next look for what was left behind finds it.
    await abort(place, key, UploadId).catch(() => undefined);
    throw error;
  } finally {
    await source.close();
  }
}

/** Some at a time, the first that fails ends all. */
async function allOf(count: number, send: (number: number) => Promise<CompletedPart>): Promise<CompletedPart[]> {
  const parts: CompletedPart[] = [];
  let next = 1;
  let failed = false;
  const worker = async (): Promise<void> => {
    while (next <= count && !failed) {
      const number = next;
      next += 1;
      try {
        parts[number - 1] = await send(number);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const settled = await Promise.allSettled(Array.from({ length: Math.min(atOnce, count) }, worker));
  for (const one of settled) if (one.status === 'rejected') throw one.reason;
  return parts;
}

async function partOf(
  source: FileHandle,
  { from, bytes }: { readonly from: number; readonly bytes: number },
): Promise<Uint8Array> {
  const body = Buffer.allocUnsafe(bytes);
  for (let filled = 0; filled < bytes; ) {
    const { bytesRead } = await source.read(body, filled, bytes - filled, from + filled);
    if (bytesRead === 0) throw new FirebreakError('FB_ERR_INTERNAL', 'a file of evidence has become shorter on its way');
    filled += bytesRead;
  }
  return body;
}

async function abort({ client, at }: S3Place, key: string, uploadId: string): Promise<void> {
  await answered(key, () => client.send(new AbortMultipartUploadCommand({ ...at(key), UploadId: uploadId })));
}

/**
 * Takes back uploads of evidence that began before and have not come to an end: a process that was killed has left them, and their parts are
 * stored and paid for, and seen in no list of objects. Only below the prefix, and only under names that evidence has.
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
