import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { FirebreakError } from '../../core/errors.ts';
import type { ObjectBucket } from '../../core/evidence/object-bucket.ts';
import { GatheredBody } from '../gathered-body.ts';
import { lockFields, whyLocked } from './object-lock.ts';
import { answered, openPlace, type S3Options, type S3Place, statusOf } from './s3-client.ts';

/** Maximum size of objects read at once: keys, manifests, pages of a log, releases. Files are streamed. */
const largestWhole = 64 * 1_048_576;

export function openBucket(options: S3Options): ObjectBucket {
  return bucketAt(openPlace(options));
}

/** Object store operations on one place in a bucket. */
export function bucketAt(place: S3Place): ObjectBucket {
  const { client, bucket, prefix, at } = place;
  return {
    put: async ({ key, body, bytes, mediaType, ifAbsent = false, lock }) => {
      const content = {
        Body: body instanceof Uint8Array ? body : Readable.from(body),
        ContentLength: bytes,
        ContentType: mediaType,
      };
      const more = { ...(ifAbsent && { IfNoneMatch: '*' }), ...(lock && lockFields(lock)) };
      const outcome = await answered(key, () => client.send(new PutObjectCommand({ ...at(key), ...content, ...more })));
      return { written: outcome !== 'taken' };
    },
    get: async (key) => {
      const body = new GatheredBody();
      for await (const part of read(place, key)) {
        body.add(Buffer.from(part));
        if (body.length > largestWhole)
          throw new FirebreakError('FB_ERR_UNAVAILABLE', `the object ${key} has more than ${largestWhole} bytes`);
      }
      return body.whole();
    },
    read: (key) => read(place, key),
    has: async (key) => (await answered(key, () => client.send(new HeadObjectCommand(at(key))))) !== 'missing',
    remove: async (key) => {
      for (const version of await versionsOf(place, key)) await removeVersion(place, key, version);
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

async function* read({ client, at }: S3Place, key: string): AsyncGenerator<Uint8Array> {
  const outcome = await answered(key, async () => (await client.send(new GetObjectCommand(at(key)))).Body);
  if (!(outcome instanceof Readable)) throw new FirebreakError('FB_ERR_NOT_FOUND', `there is no object ${key} in the bucket`);
  try {
    yield* outcome;
  } catch {
    throw new FirebreakError('FB_ERR_UNAVAILABLE', `S3 stopped sending ${key}`);
  }
}

/** A bucket without versions has one, without an id. */
async function versionsOf({ client, bucket, at }: S3Place, key: string): Promise<readonly (string | undefined)[]> {
  const name = at(key).Key;
  const found: (string | undefined)[] = [];
  let from: { readonly KeyMarker?: string; readonly VersionIdMarker?: string } = {};
  for (;;) {
    const query = { Bucket: bucket, Prefix: name, ...from };
    const page = await answered(key, () => client.send(new ListObjectVersionsCommand(query)));
    if (typeof page === 'string') return found;
    const all = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])];
    found.push(...all.flatMap(({ Key: other, VersionId: version }) => (other === name ? [version] : [])));
    const { NextKeyMarker: marker, NextVersionIdMarker: versionMarker } = page;
    if (!page.IsTruncated || marker !== name) return found;
    from = { KeyMarker: marker, ...(versionMarker !== undefined && { VersionIdMarker: versionMarker }) };
  }
}

async function removeVersion(place: S3Place, key: string, version: string | undefined): Promise<void> {
  const { client, at } = place;
  const which = { ...at(key), ...(version !== undefined && { VersionId: version }) };
  await answered(key, async () => {
    try {
      await client.send(new DeleteObjectCommand(which));
    } catch (error) {
      if (statusOf(error) !== 403) throw error;
      const why = (await whyLocked(place, key, version)) ?? 'the access key may not delete it, or an object lock keeps it';
      throw new FirebreakError('FB_ERR_REFUSED', `the bucket did not delete ${key}: ${why}`);
    }
  });
}
