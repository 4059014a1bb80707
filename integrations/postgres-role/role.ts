import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { Client, DatabaseError, escapeIdentifier, escapeLiteral } from 'pg';
import type { Credential, RotationProvider } from '../../core/action/rotation.ts';
import { FirebreakError } from '../../core/errors.ts';
import { systemErrorCode } from '../../core/system-error.ts';

interface PostgresRoleOptions {
  /** Connection URL of a role that may set the passwords of `roles` and end their sessions. */
  readonly url: string;
  /** One role, or two that take turns. */
  readonly roles: readonly string[];
  readonly keys: {
    readonly password: string;
    /** Required if two roles take turns. */
    readonly username?: string;
    /** Keys that hold a complete connection URL, including name and password. */
    readonly urls: readonly string[];
  };
}

/** SQLSTATEs of a refused login: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const loginRefused = new Set(['28P01', '28000']);
const timeoutMs = 10_000;

/** Passwords of PostgreSQL roles. With two roles the old one works until the new one is in use; with one role, the new password ends the old one at once. */
export function postgresRole({ url, roles, keys }: PostgresRoleOptions): RotationProvider {
  const title = `PostgreSQL, ${roles.length === 1 ? 'role' : 'roles'} ${roles.join(' and ')}`;
  const loginOf = ({ values }: Credential): { readonly user: string; readonly password: string } => ({
    user: (keys.username === undefined ? undefined : values[keys.username]) ?? roles[0] ?? '',
    password: values[keys.password] ?? '',
  });

  const accepts = async (credential: Credential): Promise<boolean> => {
    const { user, password } = loginOf(credential);
    const place = withLogin(url, user, password);
    if (place === undefined) throw new FirebreakError('FB_ERR_INTERNAL', `${title}: the URL of the administrator cannot be read`);
    try {
      await onServer(title, place, async () => undefined);
      return true;
    } catch (error) {
      if (error instanceof LoginRefused) return false;
      throw error;
    }
  };

  return {
    title,
    keys: [keys.password, ...(keys.username !== undefined && roles.length > 1 ? [keys.username] : []), ...keys.urls],
    overlaps: roles.length > 1,
    endsFirst: true,

    whyNot(old) {
      const { user, password } = loginOf(old);
      if (password === '') return `it has no key ${keys.password}`;
      return roles.includes(user) ? undefined : `its user is not one of the configured roles: ${roles.join(', ')}`;
    },

    async fresh(old) {
      const { user } = loginOf(old);
      const next = roles.find((role) => role !== user) ?? user;
      const password = randomBytes(24).toString('base64url');
      const urls = keys.urls.flatMap((key) => {
        const written = withLogin(old.values[key] ?? '', next, password);
        return written === undefined ? [] : [[key, written] as const];
      });
      return {
        values: {
          [keys.password]: password,
          ...(keys.username !== undefined && { [keys.username]: next }),
          ...Object.fromEntries(urls),
        },
      };
    },

    async activate({ old, next }) {
      if (await accepts(next)) return;
      const { user, password } = loginOf(next);
      const set = `ALTER ROLE ${escapeIdentifier(user)} PASSWORD ${escapeLiteral(scramVerifier(password))}`;
      const same = loginOf(old).user === user;
      // In one message: the server executes all of it, even if nobody is left to receive the answer.
      await onServer(title, url, (client) => client.query(same ? `BEGIN; ${set}; COMMIT; ${endSessions(user)}` : set));
    },

    accepts,

    async revoke({ old, next }) {
      const { user } = loginOf(old);
      if (next && loginOf(next).user === user) return;
      // Until there is a new value, the role loses whatever password it has: the old value may not be the one that was stolen.
      if (next && !(await accepts(old))) return;
      const take = `ALTER ROLE ${escapeIdentifier(user)} PASSWORD NULL`;
      await onServer(title, url, (client) => client.query(`BEGIN; ${take}; COMMIT; ${endSessions(user)}`));
    },

    ended: async ({ old }) => !(await accepts(old)),
  };
}

/** Removing a password does not end sessions that were opened with it. */
function endSessions(user: string): string {
  return `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ${escapeLiteral(user)}`;
}

function withLogin(url: string, user: string, password: string): string | undefined {
  if (!URL.canParse(url)) return undefined;
  const changed = new URL(url);
  changed.username = encodeURIComponent(user);
  changed.password = encodeURIComponent(password);
  return changed.href;
}

class LoginRefused extends FirebreakError {}

/** One connection for one task. Messages of PostgreSQL and the driver contain hosts, users and statements: only the code is passed on. */
async function onServer<T>(title: string, url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
    application_name: 'firebreak',
  });
  // An error outside a query would otherwise end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    const code = systemErrorCode(error) ?? 'no answer';
    const detail = `${title}: ${code}`;
    if (loginRefused.has(code)) throw new LoginRefused('FB_ERR_REFUSED', `${detail}: the login is refused`);
    throw new FirebreakError(
      error instanceof DatabaseError && code.startsWith('42') ? 'FB_ERR_REFUSED' : 'FB_ERR_UNAVAILABLE',
      detail,
    );
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** PostgreSQL's own default: https://www.postgresql.org/docs/current/runtime-config-connection.html#GUC-SCRAM-ITERATIONS */
const iterations = 4_096;

/**
 * The verifier that the server stores for a password (RFC 5803). Sent instead of the password, so that neither its log nor its statistics ever contain one.
 * Only for ASCII passwords: others would have to be prepared according to RFC 4013.
 */
export function scramVerifier(password: string, salt: Buffer = randomBytes(16)): string {
  if (!/^[\x21-\x7e]+$/.test(password)) throw new TypeError('only passwords of printable ASCII characters');
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const keyOf = (name: string): Buffer => createHmac('sha256', salted).update(name).digest();
  const storedKey = createHash('sha256').update(keyOf('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${keyOf('Server Key').toString('base64')}`;
}
