import { Client } from 'pg';
import { type PostgresServer, startPostgres } from '../postgres-server.ts';

export interface Databases {
  /** The URL of a new, empty database. */
  next(): Promise<string>;
  stop(): Promise<void>;
}

/** A PostgreSQL server that hands out databases. */
export async function startDatabases(): Promise<Databases> {
  const server = await startPostgres();
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
    await client.query(`CREATE DATABASE ${name}`);
  } finally {
    await client.end();
  }
}
