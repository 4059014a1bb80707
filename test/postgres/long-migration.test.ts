import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openPostgres } from '../../integrations/database/postgres.ts';
import { findPostgres } from '../suites.mjs';
import { type Databases, startDatabases } from './databases.ts';

const isHere = findPostgres() !== undefined;
const onPostgres = isHere ? describe : describe.skip;
const title = 'a statement that exceeds the time limit';

onPostgres(isHere ? title : `${title} (skipped: initdb and postgres are not on this machine)`, () => {
  let databases: Databases | undefined;
  beforeAll(async () => {
    databases = await startDatabases();
  });
  afterAll(() => databases?.stop());

  test('fails, except in a migration: an index on a large table takes minutes', async () => {
    const url = (await databases?.next()) ?? '';
    const database = openPostgres({ url, answerMs: 5_000 });
    const slow = 'SELECT 1 AS one FROM pg_sleep(8)';
    try {
      await expect(database.transaction((queries) => queries.all(slow))).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
      expect(await database.migration((queries) => queries.all(slow))).toEqual([{ one: 1 }]);
    } finally {
      await database.close();
    }
  });
});
