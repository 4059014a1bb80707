import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openDatabase } from '../../integrations/database/database.ts';
import { createIncidentList } from '../../integrations/database/incident-list.ts';
import type { Database } from '../../integrations/database/queries.ts';
import { eventually } from '../eventually.ts';
import { incidentRecords, keyOf, markOf, startConsoleDesk } from '../service/desk/console/console-desk.ts';
import { findPostgres } from '../suites.mjs';
import { type Databases, startDatabases } from './databases.ts';

const isHere = findPostgres() !== undefined;
const onPostgres = isHere ? describe : describe.skip;
const title = 'a bell that one process rings on PostgreSQL';

onPostgres(isHere ? title : `${title} (skipped: initdb and postgres are not on this machine)`, () => {
  let databases: Databases | undefined;
  let url = '';
  let one: Database;
  let other: Database;
  beforeAll(async () => {
    databases = await startDatabases();
    url = await databases.next();
    [one, other] = [await openDatabase({ url }), await openDatabase({ url })];
  });
  afterAll(async () => {
    await Promise.all([one.close(), other.close()]);
    await databases?.stop();
  });

  const listeners = () => other.all(`SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN %' AND pid <> pg_backend_pid()`);

  test('is heard by another process, under that name only, even after its connection was cut', async () => {
    let heard = 0;
    const stop = one.bell?.hear('news', () => {
      heard += 1;
    });
    // The start of listening is reported, too, because earlier rings were missed.
    await eventually('the beginning', () => heard === 1);
    await other.bell?.ring('news');
    await eventually('the first', () => heard === 2);
    const [listener] = await listeners();
    await other.all('SELECT pg_terminate_backend($1)', [Number(listener?.pid)]);
    await eventually('a new connection', () => heard === 3);
    await other.bell?.ring('other news');
    await other.bell?.ring('news');
    await eventually('the second', () => heard === 4);
    await stop?.();
    await eventually('the end of the connection', async () => (await listeners()).length === 0);
    expect(heard).toBe(4);
  });

  test('updates a desk’s open page with what another desk wrote, even if it never polls', async () => {
    const databaseUrl = (await databases?.next()) ?? '';
    const desk = await startConsoleDesk({ databaseUrl, lookEveryMs: 3_600_000 });
    const written = await openDatabase({ url: databaseUrl });
    try {
      const marks = { of: markOf, isOf: (content: string, mark: string) => mark === markOf(content) };
      const list = createIncidentList(written, { marks, records: async () => [] });
      const stream = await (await desk.signIn('ana')).get('/api/v1/events');
      const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
      await list.note(incidentRecords('shop'));
      for (let text = ''; !text.includes(keyOf('shop')); ) {
        const part = await reader?.read();
        if (!part || part.done) throw new Error('the stream is over');
        text += part.value;
      }
      await reader?.cancel();
    } finally {
      await written.close();
      await desk.stop();
    }
  });

  test('goes unheard while the database is down, without an error', async () => {
    const gone = await openDatabase({ url });
    await gone.close();
    await expect(gone.bell?.ring('news')).resolves.toBeUndefined();
  });
});
