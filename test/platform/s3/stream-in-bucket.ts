import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from '@jest/globals';
import type { BucketObjects } from '../../../core/streams/stream.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import { createStreamFeed } from '../../../integrations/database/outbound/stream-feed.ts';
import { openBucket } from '../../../integrations/evidence/bucket.ts';
import { runCommand } from '../../../service/parts/command.ts';
import { findPython } from '../../../service/parts/python-package.ts';
import { openReceiver } from '../../../service/streams/receivers.ts';
import { StreamRunner } from '../../../service/streams/stream-runner.ts';
import type { S3Server } from '../../../tools/platform/s3-server.ts';
import { eventMaker, ocsfProblems } from '../../core/streams/events.ts';
import { eventually } from '../../eventually.ts';
import { duckDbModules } from '../../parts/duckdb.ts';
import { run } from '../../suites/audit-store.ts';
import { makersTrust } from '../../suites/signed-records.ts';

/** Tests of a stream whose receiver is a bucket. */
export function streamInBucketTests(server: S3Server): void {
  describe('a stream into S3', () => {
    const folder = mkdtempSync(join(tmpdir(), 'firebreak-stream-s3-'));
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    /** The objects that a stream of 25 records has stored, by key. */
    async function streamed(objects: BucketObjects): Promise<ReadonlyMap<string, Uint8Array>> {
      const { endpoint, region, bucket, accessKeyId, secretAccessKey } = server;
      const prefix = `${objects}/`;
      const to = { kind: 's3', endpoint, region, bucket, prefix, objects } as const;
      const database = await openDatabase({ url: `sqlite:${join(folder, `${objects}.db`)}` });
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
      expect(problems).toEqual([]);
      const there = openBucket({ ...server, prefix });
      const found = new Map<string, Uint8Array>();
      for await (const key of there.keys('')) found.set(key, await there.get(key));
      return found;
    }

    /** Expects every record to be there, in order when they are read by name. */
    function expectAll(lines: readonly string[]): void {
      expect(lines.map((json) => ({ id: '', chain: '', at: '', kind: '', json })).flatMap(ocsfProblems)).toEqual([]);
      const byId = new Map(lines.map((line) => JSON.parse(line)).map((event) => [event.metadata.uid, event]));
      expect([...byId.values()].map((event) => event.unmapped.record.place)).toEqual(
        Array.from({ length: 25 }, (_, index) => index + 1),
      );
    }

    test('is objects of compressed lines, which have every record in order when read by name', async () => {
      const found = await streamed('ndjson');
      for (const key of found.keys()) expect(key).toMatch(/^\d{4}\/\d\d\/\d\d\/\d\d\/.*-[0-9a-f]{16}\.ndjson\.gz$/);
      expectAll([...found.values()].flatMap((bytes) => gunzipSync(bytes).toString().trimEnd().split('\n')));
    });

    test('is Parquet files, in which DuckDB finds the columns and each complete event', async () => {
      const found = await streamed('parquet');
      for (const [key, bytes] of found) {
        expect(key).toMatch(/-[0-9a-f]{16}\.parquet$/);
        writeFileSync(join(folder, basename(key)), bytes);
      }
      const query = `SELECT id, chain, strftime(time, '%Y') AS year, kind, event->>'$.metadata.uid' AS uid, event::VARCHAR AS event
        FROM read_parquet('${join(folder, '*.parquet')}', filename = true, file_row_number = true) ORDER BY filename, file_row_number`;
      const rows: readonly Readonly<Record<string, string>>[] = JSON.parse(await askDuckDb(query));
      expectAll(rows.map(({ event = '' }) => event));
      for (const { id, uid } of rows) expect(uid).toBe(id);
      expect(rows[0]).toMatchObject({
        chain: 'incident/c/shop/Deployment/cart@r1',
        kind: expect.any(String),
        year: expect.any(String),
      });
    });
  });
}

/** Runs a query with DuckDB from PyPI. Returns its answer as a list in JSON. */
async function askDuckDb(query: string): Promise<string> {
  const modules = await duckDbModules(() => {});
  const program =
    'import duckdb, json, sys; r = duckdb.sql(sys.argv[1]); print(json.dumps([dict(zip(r.columns, x)) for x in r.fetchall()]))';
  const answer = await runCommand({
    command: findPython(),
    args: ['-c', program, query],
    env: { ...process.env, PYTHONPATH: modules },
  });
  if (answer.code !== 0) throw new Error(answer.stderr);
  return answer.stdout;
}
