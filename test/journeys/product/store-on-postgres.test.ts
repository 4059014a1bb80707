import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openDatabase } from '../../../integrations/database/database.ts';
import { type Databases, startDatabases } from '../../postgres/databases.ts';
import { alertArchiveSuite } from '../../suites/alert-archive.ts';
import { auditStoreSuite } from '../../suites/audit-store.ts';
import { databaseSchemaSuite } from '../../suites/database-schema.ts';
import { incidentIndexSuite } from '../../suites/incident-index.ts';
import { incidentListSuite } from '../../suites/incident-list.ts';
import { streamFeedSuite } from '../../suites/stream-feed.ts';
import { findPostgres } from '../../suites.mjs';

const isHere = findPostgres() !== undefined;
const onPostgres = isHere ? describe : describe.skip;

onPostgres(isHere ? 'on PostgreSQL' : 'on PostgreSQL (skipped: initdb and postgres are not on this machine)', () => {
  let databases: Databases | undefined;
  beforeAll(async () => {
    databases = await startDatabases();
  });
  afterAll(async () => {
    await databases?.stop();
  });

  auditStoreSuite(async () => (await databases?.withSchema()) ?? '');

  streamFeedSuite(async () => (await databases?.withSchema()) ?? '');
  incidentIndexSuite(async () => (await databases?.withSchema()) ?? '');
  incidentListSuite(async () => (await databases?.withSchema()) ?? '');
  alertArchiveSuite(async () => (await databases?.withSchema()) ?? '');
  databaseSchemaSuite(async () => (await databases?.next()) ?? '');

  test('a server that does not answer gives an error that names neither host nor user', async () => {
    const failing = openDatabase({ url: 'postgres://admin:hunter2@127.0.0.1:1/firebreak' });
    await expect(failing).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE', detail: 'PostgreSQL: ECONNREFUSED' });
  });
});
