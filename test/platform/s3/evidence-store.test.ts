import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, describe, expect, test } from '@jest/globals';
import { openBucket } from '../../../integrations/evidence/bucket.ts';
import { createBucketShelf } from '../../../integrations/evidence/bucket-shelf.ts';
import type { S3Options } from '../../../integrations/evidence/s3-client.ts';
import { createS3Store } from '../../../integrations/evidence/s3-store.ts';
import { createLogBucket } from '../../../integrations/tlog/log-bucket.ts';
import { type S3Server, startS3Server } from '../../../tools/platform/s3-server.ts';
import { inParts } from '../../in-parts.ts';
import { startedOrWhyNot } from '../../started-or-why-not.ts';
import { evidenceStoreSuite } from '../../suites/evidence-store.ts';
import { keyRegisterSuite } from '../../suites/key-register.ts';
import { until } from '../e2e/parts/cluster.ts';
import { backupInBucketTests } from './backup-in-bucket.ts';
import { lockedBucketTests } from './locked-bucket.ts';
import { reportInBucketTests } from './report-in-bucket.ts';
import { stallingProxy } from './stalling-proxy.ts';
import { streamInBucketTests } from './stream-in-bucket.ts';

const stateDir = mkdtempSync(join(tmpdir(), 'firebreak-s3-'));
const scratchDir = mkdtempSync(join(tmpdir(), 'firebreak-scratch-'));
const started = await startedOrWhyNot(() => startS3Server({ stateDir }));
afterAll(() => {
  for (const folder of [stateDir, scratchDir]) rmSync(folder, { recursive: true, force: true });
});

if (typeof started === 'string') describe.skip(`in S3 (skipped: ${started})`, () => test('is not tried', () => {}));
else inS3(started);

function inS3(server: S3Server): void {
  const options: S3Options = { ...server, prefix: 'cell-1/' };
  const uploads = async (): Promise<readonly string[]> => {
    const client = new S3Client({ ...server, forcePathStyle: true, credentials: server });
    const { Uploads: found = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: server.bucket }));
    return found.map(({ Key: key }) => key ?? '').sort();
  };
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

    test('stores large files in parts, and only when complete', async () => {
      const bytes = randomBytes(20 * 1024 * 1024 + 7);
      const { sha256 } = await createS3Store({ ...options, scratchDir }).put(inParts(bytes), 'application/zstd');
      expect(sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
      expect(bytes.equals(await createS3Store(options).get(sha256))).toBe(true);
      expect(await uploads()).toEqual([]);
    });

    test('cleans up the unfinished upload of a killed process by age, and nobody else’s', async () => {
      const proxy = await stallingProxy(new URL(server.endpoint).port, 12 * 1024 * 1024);
      const child = spawn(process.execPath, [
        join(import.meta.dirname, 'killed-upload.ts'),
        JSON.stringify({ ...options, endpoint: proxy.endpoint, scratchDir }),
      ]);
      const client = new S3Client({ ...server, forcePathStyle: true, credentials: server });
      const others = await client.send(new CreateMultipartUploadCommand({ Bucket: server.bucket, Key: 'cell-1/backup.tar' }));
      await until('its upload', 30_000, async () => (await uploads()).length === 2 && proxy.isStalled());
      child.kill('SIGKILL');
      await once(child, 'exit');
      proxy.stop();
      const store = createS3Store({ ...options, scratchDir });
      expect(await store.sweep(new Date(Date.now() - 3_600_000))).toBe(0);
      expect(readdirSync(scratchDir)).toHaveLength(1);
      // The unfinished upload, and the file that was being written.
      expect(await store.sweep(new Date(Date.now() + 60_000))).toBe(2);
      expect(await uploads()).toEqual(['cell-1/backup.tar']);
      const { UploadId } = others;
      await client.send(new AbortMultipartUploadCommand({ Bucket: server.bucket, Key: 'cell-1/backup.tar', UploadId }));
    });

    test('leaves no temporary file of a stream behind', () => {
      expect(readdirSync(scratchDir)).toEqual([]);
    });

    test('is unavailable with wrong credentials or a missing bucket, and the error contains neither', async () => {
      const refused = createS3Store({ ...options, secretAccessKey: 'hunter2' }).put(Buffer.from('x'), 'text/plain');
      await expect(refused).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE', detail: expect.stringMatching(/status 403$/) });
      const lost = createS3Store({ ...options, bucket: 'none', accessKeyId: 'x' }).get('0'.repeat(64));
      await expect(lost).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
    });

    test('keeps a log’s files under their own names, and replaces only the one that says how far it goes', async () => {
      const log = createLogBucket({ bucket: openBucket({ ...options, prefix: 'log/' }), name: server.bucket });
      const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
      expect(await log.read('tile/0/000')).toBeUndefined();
      for (const text of ['a', 'a']) await log.write({ path: 'tile/0/000', bytes: bytes(text) });
      await expect(log.write({ path: 'tile/0/000', bytes: bytes('b') })).rejects.toMatchObject({ code: 'FB_ERR_CONFLICT' });
      for (const text of ['1', '2']) await log.write({ path: 'checkpoint', bytes: bytes(text) });
      expect(
        [await log.read('tile/0/000'), await log.read('checkpoint')].map((found) => new TextDecoder().decode(found)),
      ).toEqual(['a', '2']);
    });
    lockedBucketTests(server);
    backupInBucketTests(server);
    reportInBucketTests(server);
    streamInBucketTests(server);
  });
}
