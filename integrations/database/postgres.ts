import { DatabaseError, Pool, type PoolClient, type QueryConfig } from 'pg';
import { FirebreakError } from '../../core/errors.ts';
import { systemErrorCode } from '../../core/system-error.ts';
import { createPostgresBell } from './postgres-bell.ts';
import type { Database, Queries } from './queries.ts';

/** Lock held while migrating; any number that nothing else in the database uses will do. */
const migrationLock = 4_602_241_301;

const answerWithinMs = 15_000;
/** An index on many millions of rows takes many minutes, and another process waits that long for its turn. */
const migrateWithinMs = 6 * 3_600_000;

export function openPostgres({ url, answerMs = answerWithinMs }: { readonly url: string; readonly answerMs?: number }): Database {
  const pool = new Pool({
    connectionString: url,
    max: 5,
    connectionTimeoutMillis: 5000,
    query_timeout: answerMs,
    application_name: 'firebreak',
    onConnect: async (client) => {
      // The pool replaces a broken connection. Without a listener it would end the process, even in the middle of a transaction: the pool only
      // listens to connections that are idle or run one of its own queries. A query waiting on the connection fails anyway.
      client.on('error', () => undefined);
      // No statement here is worth compiling, and on large tables PostgreSQL spends seconds on it. If the setting is refused, it is only slower.
      await client.query('SET jit = off').catch(() => undefined);
    },
  });
  pool.on('error', () => undefined);

  const transaction = async <Result>(
    begin: string,
    work: (queries: Queries) => Promise<Result>,
    withinMs?: number,
  ): Promise<Result> => {
    const client = await guarded(() => pool.connect());
    let broken = true;
    try {
      await guarded(() => client.query(begin));
      const result = await work(queriesOn(client, withinMs));
      await guarded(() => client.query('COMMIT'));
      broken = false;
      return result;
    } catch (error) {
      broken = await client.query('ROLLBACK').then(
        () => false,
        () => true,
      );
      throw error;
    } finally {
      client.release(broken);
    }
  };

  return {
    kind: 'postgres',
    ...queriesOn(pool),
    transaction: (work) => transaction('BEGIN', work),
    note: (work) => transaction('BEGIN; SET LOCAL synchronous_commit = off', work),
    snapshot: (work) => transaction('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', work),
    migration: (work) =>
      transaction(
        'BEGIN',
        async (queries) => {
          await queries.all('SELECT pg_advisory_xact_lock($1)', [migrationLock]);
          return work(queries);
        },
        migrateWithinMs,
      ),
    bell: createPostgresBell({ url, pool }),
    close: () => pool.end(),
  };
}

/** `withinMs` overrides the pool's limit per statement. */
function queriesOn(client: Pool | PoolClient, withinMs?: number): Queries {
  return {
    all: (sql, parameters = []) =>
      guarded(async () => {
        const statement: QueryConfig & { readonly query_timeout?: number } = {
          ...{ text: sql, values: [...parameters] },
          ...(withinMs !== undefined && { query_timeout: withinMs }),
        };
        return (await client.query<Record<string, unknown>>(statement)).rows;
      }),
  };
}

/** Classes of SQLSTATE that say the statement or its values are wrong: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const faults = new Set(['21', '22', '23', '42']);

/** PostgreSQL's messages contain values of rows, and the driver's the host and the user: only the code is passed on. */
async function guarded<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const code = systemErrorCode(error) ?? 'no answer';
    const isFault = error instanceof DatabaseError && faults.has(code.slice(0, 2));
    throw new FirebreakError(isFault ? 'FB_ERR_INTERNAL' : 'FB_ERR_UNAVAILABLE', `PostgreSQL: ${code}`);
  }
}
