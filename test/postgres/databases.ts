import { Client } from 'pg';
import { type PostgresServer, startPostgres } from '../postgres-server.ts';

export interface Databases {
  /** The URL of the next database: a new and empty one. */
  next(): Promise<string>;
  stop(): Promise<void>;
}

/** A PostgreSQL server that hands out databases; in a folder that is kept, those that are there from before. */
export async function startDatabases(kept?: string): Promise<Databases> {
  const server = await startPostgres(kept);
  let count = 0;
  return {
    next: async () => {
      count += 1;
      const name = `firebreak_${count}`;
      await create(server, name);
      const url = new URL(server.url);
      url.pathname = `/${name}`;
      return url.href;
    },
    stop: () => server.stop(),
  };
}

async function create(server: PostgresServer, name: string): Promise<void> {
  const client = new Client({ connectionString: server.url });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${name}`);
  } finally {
    await client.end();
  }
}
