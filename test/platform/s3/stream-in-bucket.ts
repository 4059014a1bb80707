import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from '@jest/globals';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import { createStreamFeed } from '../../../integrations/database/outbound/stream-feed.ts';
import { openBucket } from '../../../integrations/evidence/bucket.ts';
import { openReceiver } from '../../../service/streams/receivers.ts';
import { StreamRunner } from '../../../service/streams/stream-runner.ts';
import type { S3Server } from '../../../tools/platform/s3-server.ts';
import { eventMaker, ocsfProblems } from '../../core/streams/events.ts';
import { eventually } from '../../eventually.ts';
import { run } from '../../suites/audit-store.ts';
import { makersTrust } from '../../suites/signed-records.ts';

/** A stream whose receiver is a bucket. */
export function streamInBucketTests(server: S3Server): void {
  describe('a stream into S3', () => {
    const folder = mkdtempSync(join(tmpdir(), 'firebreak-stream-s3-'));
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    test('is objects of zipped lines, which hold every record in order when they are read by their names', async () => {
      const { endpoint, region, bucket, accessKeyId, secretAccessKey } = server;
      const to = { kind: 's3', endpoint, region, bucket, prefix: 'events/' } as const;
      const database = await openDatabase({ url: `sqlite:${join(folder, 'audit.db')}` });
      await createAuditStore(database).append(run('incident/c/shop/Deployment/cart@r1', 1, 25));
      const feed = createStreamFeed(database);
      const problems: unknown[] = [];
      const runner = new StreamRunner({
        name: 'lake',
        feed,
        from: 'beginning',
        format: 'ocsf',
        maker: eventMaker,
        trust: makersTrust,
        receiver: await openReceiver({ to, format: 'ocsf', timeoutMs: 20_000 }, () => ({ accessKeyId, secretAccessKey })),
        holder: 'desk-a',
        observer: {
          delivered: () => undefined,
          failed: () => undefined,
          unproven: (row) => problems.push(row),
          broken: (error) => problems.push(error),
        },
        batch: 10,
      });
      runner.start();
      await eventually('all of it in the bucket', async () => {
        const state = await feed.state('lake');
        return state?.deliveredAt !== undefined && (await feed.lag('lake')).records === 0;
      });
      await runner.stop();
      await database.close();
      const objects = openBucket({ ...server, prefix: 'events/' });
      const lines: string[] = [];
      for await (const key of objects.keys('')) {
        expect(key).toMatch(/^\d{4}\/\d\d\/\d\d\/\d\d\/.*-[0-9a-f]{16}\.ndjson\.gz$/);
        lines.push(
          ...gunzipSync(await objects.get(key))
            .toString()
            .trimEnd()
            .split('\n'),
        );
      }
      const events = lines.map((json) => ({ id: '', chain: '', at: '', kind: '', json }));
      expect(events.flatMap(ocsfProblems)).toEqual([]);
      const byId = new Map(lines.map((line) => JSON.parse(line)).map((event) => [event.metadata.uid, event]));
      expect([...byId.values()].map((event) => event.unmapped.record.place)).toEqual(
        Array.from({ length: 25 }, (_, index) => index + 1),
      );
      expect(problems).toEqual([]);
    });
  });
}
