import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openDatabase } from '../../integrations/database/database.ts';
import { auditStoreSuite } from '../suites/audit-store.ts';
import { type PostgresServer, postgresFolder, startPostgres } from './server.ts';

const folder = postgresFolder();
const onPostgres = folder ? describe : describe.skip;

onPostgres(folder ? 'on PostgreSQL' : 'on PostgreSQL (skipped: initdb and postgres are not on this machine)', () => {
  let server: PostgresServer | undefined;
  beforeAll(async () => {
    if (folder) server = await startPostgres(folder);
  });
  afterAll(async () => {
    await server?.stop();
  });

  auditStoreSuite(async () => (await server?.emptyDatabase()) ?? '');

  test('a server that does not answer is an error that names neither host nor user', async () => {
    const failing = openDatabase({ url: 'postgres://admin:hunter2@127.0.0.1:1/firebreak' });
    await expect(failing).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE', detail: 'PostgreSQL: ECONNREFUSED' });
  });
});
