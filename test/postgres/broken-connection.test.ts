import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openDatabase } from '../../integrations/database/database.ts';
import { eventually } from '../eventually.ts';
import { findPostgres } from '../suites.mjs';
import { type Databases, startDatabases } from './databases.ts';

const isHere = findPostgres() !== undefined;
const onPostgres = isHere ? describe : describe.skip;
const title = 'a connection to PostgreSQL that breaks in the middle of a transaction';

onPostgres(isHere ? title : `${title} (skipped: initdb and postgres are not on this machine)`, () => {
  let databases: Databases | undefined;
  beforeAll(async () => {
    databases = await startDatabases();
  });
  afterAll(() => databases?.stop());

  test('fails that transaction and nothing else: the process and later transactions go on', async () => {
    const url = (await databases?.next()) ?? '';
    const [database, other] = [await openDatabase({ url }), await openDatabase({ url })];
    try {
      const broken = database.transaction(async (queries) => {
        const [row] = await queries.all('SELECT pg_backend_pid() AS pid');
        const pid = Number(row?.pid);
        await other.all('SELECT pg_terminate_backend($1)', [pid]);
        // No query is under way when the server announces the end of the connection.
        await eventually('the end of the connection', async () => {
          const rows = await other.all('SELECT pid FROM pg_stat_activity WHERE pid = $1', [pid]);
          return rows.length === 0;
        });
        return queries.all('SELECT 1');
      });
      await expect(broken).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
      expect(await database.transaction((queries) => queries.all('SELECT 1 AS one'))).toEqual([{ one: 1 }]);
    } finally {
      await Promise.all([database.close(), other.close()]);
    }
  });
});
