import { Client } from 'pg';
import { openDatabase } from '../../integrations/database/database.ts';
import { type PostgresServer, startPostgres } from '../postgres-server.ts';

export interface Databases {
  /** Returns the URL of a new, empty database. */
  next(): Promise<string>;
  /** Like `next`, with the schema but no rows: copying one takes a third of the CPU time. */
  withSchema(): Promise<string>;
  stop(): Promise<void>;
}

/** Starts a PostgreSQL server that hands out databases; in a kept folder, those that are there from before. */
export async function startDatabases(kept?: string): Promise<Databases> {
  const server = await startPostgres(kept);
  let count = 0;
  const next = async (template?: string): Promise<string> => {
    count += 1;
    const name = `firebreak_${count}`;
    await create(server, name, template);
    const url = new URL(server.url);
    url.pathname = `/${name}`;
    return url.href;
  };
  let copied: Promise<string> | undefined;
  const makeCopied = async (): Promise<string> => {
    const url = await next();
    await (await openDatabase({ url })).close();
    return new URL(url).pathname.slice(1);
  };
  return {
    next: () => next(),
    withSchema: async () => {
      copied ??= makeCopied();
      return next(await copied);
    },
    stop: () => server.stop(),
  };
}

async function create(server: PostgresServer, name: string, template = 'template1'): Promise<void> {
  const client = new Client({ connectionString: server.url });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${name} TEMPLATE ${template}`);
  } finally {
    await client.end();
  }
}
