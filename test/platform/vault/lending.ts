import { Client } from 'pg';
import type { PostgresServer } from '../../postgres-server.ts';
import type { Login } from '../../suites/vault-providers.ts';
import { fieldAt, type VaultServer } from '../../vault-server.ts';

/** Sets up two roles that OpenBao leases, each created in PostgreSQL for as long as its lease. */
export async function lendFrom({ admin }: VaultServer, database: PostgresServer): Promise<void> {
  const { host, pathname, username, password } = new URL(database.url);
  await admin('PUT', 'sys/mounts/database', { type: 'database' });
  await admin('PUT', 'database/config/shop', {
    plugin_name: 'postgresql-database-plugin',
    allowed_roles: ['shop', 'pay'],
    connection_url: `postgresql://{{username}}:{{password}}@${host}${pathname}?sslmode=disable`,
    username,
    password,
  });
  for (const role of ['shop', 'pay'])
    await admin('PUT', `database/roles/${role}`, {
      db_name: 'shop',
      creation_statements: [`CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`],
      default_ttl: '1h',
    });
}

/** Whether the database accepts a login. */
export async function isAccepted(database: PostgresServer, { username, password }: Login): Promise<boolean> {
  const url = new URL(database.url);
  url.username = encodeURIComponent(username);
  url.password = encodeURIComponent(password);
  const client = new Client({ connectionString: url.href });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Leases a credential to somebody else. */
export async function lend({ admin }: VaultServer, role: string): Promise<Login> {
  const answer = await admin('GET', `database/creds/${role}`);
  return { username: String(fieldAt(answer, 'data', 'username')), password: String(fieldAt(answer, 'data', 'password')) };
}
