import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeleteObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, describe, expect, test } from '@jest/globals';
import { checkpointBytes, nextCheckpoint, type SignedCheckpoint } from '../../../core/checkpoint.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { createBucketAnchor } from '../../../integrations/anchor/bucket-anchor.ts';
import { openBucket, type S3Options } from '../../../integrations/evidence/bucket.ts';
import { createBucketShelf } from '../../../integrations/evidence/bucket-shelf.ts';
import { createS3Store } from '../../../integrations/evidence/s3-store.ts';
import { signerFrom } from '../../../integrations/keys/ed25519.ts';
import { type S3Server, startS3Server } from '../../../service/dev/s3-server.ts';
import { evidenceStoreSuite } from '../../suites/evidence-store.ts';
import { keyRegisterSuite } from '../../suites/key-register.ts';
import { newPrivateKey } from '../../suites/private-key.ts';

const stateDir = mkdtempSync(join(tmpdir(), 'firebreak-s3-'));
const scratchDir = mkdtempSync(join(tmpdir(), 'firebreak-scratch-'));
const started = await startS3Server({ stateDir }).catch((error: unknown) => {
  if (error instanceof FirebreakError && error.code === 'FB_ERR_PLATFORM_PART_MISSING') return error.detail;
  throw error;
});
afterAll(async () => {
  if (typeof started !== 'string') await started.stop();
  for (const folder of [stateDir, scratchDir]) rmSync(folder, { recursive: true, force: true });
});

if (typeof started === 'string') describe.skip(`in S3 (skipped: ${started})`, () => test('is not tried', () => {}));
else inS3(started);

function inS3(server: S3Server): void {
  const options: S3Options = { ...server, prefix: 'cell-1/' };
  describe('in S3', () => {
    evidenceStoreSuite({
      store: () => createS3Store({ ...options, scratchDir }),
      damage: async (key) => {
        await openBucket(options).put({ key, body: Buffer.from('changed'), bytes: 7, mediaType: 'text/plain' });
      },
      remove: async (sha256) => {
        const client = new S3Client({ ...server, forcePathStyle: true, credentials: server });
        await client.send(new DeleteObjectCommand({ Bucket: server.bucket, Key: `${options.prefix}${sha256}` }));
      },
    });

    keyRegisterSuite({ shelf: () => createBucketShelf(options) });

    test('leaves no file of a stream behind', () => {
      expect(readdirSync(scratchDir)).toEqual([]);
    });

    test('wrong credentials and a bucket that is not there are unavailable, and the error holds neither', async () => {
      const refused = createS3Store({ ...options, secretAccessKey: 'hunter2' }).put(Buffer.from('x'), 'text/plain');
      await expect(refused).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE', detail: expect.stringMatching(/status 403$/) });
      const lost = createS3Store({ ...options, bucket: 'none', accessKeyId: 'x' }).get('0'.repeat(64));
      await expect(lost).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
    });

    test('an anchor in a bucket keeps each checkpoint once, in order, and never replaces one', async () => {
      const anchor = createBucketAnchor({ bucket: openBucket(options), name: server.bucket });
      const signer = signerFrom({ pem: newPrivateKey(), name: 'notary' });
      const sign = async (last: SignedCheckpoint | undefined, at: string): Promise<SignedCheckpoint> => {
        const { checkpoint } = nextCheckpoint({ last: last?.checkpoint, stated: new Map(), shown: [], at });
        return { checkpoint, keyId: signer.keyId, signature: await signer.sign(checkpointBytes(checkpoint)) };
      };
      const first = await sign(undefined, '2026-03-01T10:00:00.000Z');
      const second = await sign(first, '2026-03-01T10:01:00.000Z');
      for (const signed of [first, second, first]) await anchor.append(signed);
      const other = await sign(first, '2026-03-01T10:02:00.000Z');
      await expect(anchor.append(other)).rejects.toMatchObject({ code: 'FB_ERR_CONFLICT' });
      const read: unknown[] = [];
      for await (const entry of anchor.read()) read.push(entry);
      expect(read).toEqual([first, second]);
    });
  });
}
