import { expect, test } from '@jest/globals';
import { Client } from 'pg';
import { startPostgres } from '../postgres-server.ts';

test('what PostgreSQL acknowledged survives a kill -9', async () => {
  const server = await startPostgres();
  try {
    await query(server.url, 'create table kept (value text)');
    await query(server.url, "insert into kept values ('acknowledged')");
    await server.restart();
    expect(await query(server.url, 'select value from kept')).toEqual([{ value: 'acknowledged' }]);
  } finally {
    await server.stop();
  }
});

async function query(url: string, text: string): Promise<readonly unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<Record<string, unknown>>(text);
  await client.end();
  return rows;
}
