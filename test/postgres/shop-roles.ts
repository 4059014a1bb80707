import { Client } from 'pg';
import { systemErrorCode } from '../../core/system-error.ts';
import { type PostgresServer, startPostgres } from '../postgres-server.ts';

export interface ShopRoles {
  readonly server: PostgresServer;
  /** URL of a role with no more rights than the docs list: it may set the passwords of the shop's roles and end their sessions. */
  readonly rotator: string;
  /** Restores the roles to their initial state, without the log seeing it. */
  reset(): Promise<void>;
  /** Logs in as a role. Returns the session, or the SQLSTATE with which the login is refused. */
  login(user: string, password: string): Promise<Client | string>;
  stop(): Promise<void>;
}

export const oldPassword = 'old-value-canary';

/** Starts a PostgreSQL server that logs every statement, with the roles shop_a (which has a password) and shop_b. */
export async function startShopRoles(): Promise<ShopRoles> {
  const server = await startPostgres();
  const urlFor = (user: string, password: string): string => {
    const url = new URL(server.url);
    url.username = user;
    url.password = password;
    return url.href;
  };
  const asAdmin = async (...statements: readonly string[]): Promise<void> => {
    const client = new Client({ connectionString: server.url });
    await client.connect();
    try {
      // These statements set the scene, and are kept out of the log that is searched.
      for (const sql of [`SET log_statement = 'none'`, ...statements]) await client.query(sql);
    } finally {
      await client.end();
    }
  };
  const passwords = [`ALTER ROLE shop_a PASSWORD '${oldPassword}'`, 'ALTER ROLE shop_b PASSWORD NULL'];
  await asAdmin(
    `CREATE ROLE rotator LOGIN CREATEROLE PASSWORD 'rotator'`,
    'CREATE ROLE shop_a LOGIN',
    'CREATE ROLE shop_b LOGIN',
    `CREATE ROLE pay LOGIN PASSWORD 'pay'`,
    'GRANT shop_a, shop_b TO rotator WITH ADMIN OPTION',
    'GRANT pg_signal_backend TO rotator',
    ...passwords,
    `ALTER SYSTEM SET log_statement = 'all'`,
    'SELECT pg_reload_conf()',
  );
  return {
    server,
    rotator: urlFor('rotator', 'rotator'),
    reset: () => asAdmin(...passwords),
    async login(user, password) {
      const client = new Client({ connectionString: urlFor(user, password) });
      client.on('error', () => undefined);
      try {
        await client.connect();
        return client;
      } catch (error) {
        return systemErrorCode(error) ?? 'no answer';
      }
    },
    stop: () => server.stop(),
  };
}
