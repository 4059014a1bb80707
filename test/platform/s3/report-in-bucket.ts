import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import { createReportDeliveries } from '../../../integrations/database/outbound/report-deliveries.ts';
import { openBucket } from '../../../integrations/evidence/bucket.ts';
import type { ReportConfig } from '../../../service/config/complete/complete-reports.ts';
import { deliverReport, dueReports } from '../../../service/records/scheduled-reports.ts';
import type { S3Server } from '../../../tools/platform/s3-server.ts';
import { recordsOfIncidents } from '../../service/records/compliance-records.ts';
import { maker, makersTrust } from '../../suites/signed-records.ts';

/** Tests of a scheduled report that goes into a bucket. */
export function reportInBucketTests(server: S3Server): void {
  describe('a report that is due, into S3', () => {
    const folder = mkdtempSync(join(tmpdir(), 'firebreak-report-s3-'));
    afterAll(() => rmSync(folder, { recursive: true, force: true }));
    const now = Date.parse('2026-08-03T00:00:00Z');
    const { endpoint, region, bucket, accessKeyId: KEY_ID, secretAccessKey: KEY } = server;
    const report: ReportConfig = {
      ...{ name: 'soc', framework: 'soc-2', every: 'month', format: 'json' },
      to: {
        kind: 's3',
        s3: { endpoint, region, bucket, prefix: 'reports/' },
        accessKeyId: { env: 'KEY_ID' },
        secretAccessKey: { env: 'KEY' },
      },
    };

    test('is one object per period, is due again when the bucket refuses it, and the same object when it is resent', async () => {
      const database = await openDatabase({ url: `sqlite:${join(folder, 'audit.db')}` });
      const store = createAuditStore(database);
      const records = recordsOfIncidents(20, Date.UTC(2026, 6, 1));
      for (const run of Map.groupBy(records, ({ chain }) => chain).values()) await store.append(run.map(maker.sign));
      const deliveries = createReportDeliveries(database, { now: () => now });
      const deliver = async (env: NodeJS.ProcessEnv) => {
        const [due] = await dueReports([report], deliveries, now);
        return due && deliverReport(due, { config: {}, env, store, trust: makersTrust, deliveries });
      };
      const there = openBucket({ ...server, prefix: 'reports/' });
      const keys = async (): Promise<readonly string[]> => {
        const found: string[] = [];
        for await (const key of there.keys('')) found.push(key);
        return found;
      };
      const refused = await deliver({ KEY_ID, KEY: 'wrong' });
      expect(refused).toMatchObject({ state: 'failed', detail: expect.stringContaining('403') });
      expect(JSON.stringify(refused)).not.toContain('wrong');
      expect(await keys()).toEqual([]);

      expect(await deliver({ KEY_ID, KEY })).toMatchObject({ state: 'delivered', period: '2026-07', detail: 'soc-2026-07.json' });
      expect(await deliver({ KEY_ID, KEY })).toBeUndefined();
      const said: unknown = JSON.parse(new TextDecoder().decode(await there.get('soc-2026-07.json')));
      expect(said).toMatchObject({ framework: { id: 'soc-2' }, since: '2026-07-01T00:00:00.000Z', records: { leftOut: 0 } });

      // As after a crash before the delivery was recorded.
      await database.all('DELETE FROM report_deliveries');
      expect(await deliver({ KEY_ID, KEY })).toMatchObject({ state: 'delivered' });
      expect(await keys()).toEqual(['soc-2026-07.json']);
      await database.close();
    });
  });
}
