import { type Anchor, asSignedCheckpoint, type SignedCheckpoint } from '../../core/audit/checkpoint.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { ObjectBucket } from '../../core/evidence/object-bucket.ts';
import { canonicalJson } from '../../core/text/digest.ts';

const folder = 'checkpoints/';

/**
 * One object a checkpoint, only ever made, never replaced. Where the bucket offers object lock, with credentials that the
 * database's writer does not have, nobody can take one back. Reading fetches every object.
 */
export function createBucketAnchor({ bucket, name }: { readonly bucket: ObjectBucket; readonly name: string }): Anchor {
  return {
    description: `bucket ${name}, ${folder}`,
    append: async (signed) => {
      const key = `${folder}${String(signed.checkpoint.number).padStart(12, '0')}.json`;
      const body = new TextEncoder().encode(canonicalJson(signed));
      const { written } = await bucket.put({ key, body, bytes: body.byteLength, mediaType: 'application/json', ifAbsent: true });
      if (written || Buffer.from(await bucket.get(key)).equals(body)) return;
      throw new FirebreakError('FB_ERR_CONFLICT', `the anchor has another checkpoint ${signed.checkpoint.number}`);
    },
    read: async function* () {
      for await (const key of bucket.keys(folder)) yield parse(await bucket.get(key));
    },
  };
}

function parse(bytes: Uint8Array): SignedCheckpoint | string {
  const text = new TextDecoder().decode(bytes);
  try {
    return asSignedCheckpoint(JSON.parse(text)) ?? text;
  } catch {
    return text;
  }
}
