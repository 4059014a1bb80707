import { FirebreakError } from '../../core/errors.ts';
import { migrate } from './migrations.ts';
import type { Database } from './queries.ts';
import { openSqlite } from './sqlite.ts';

/**
 * Opens the store at `sqlite:PATH` (the folder must exist) or `postgres://…` and brings its schema up to date.
 * @throws FB_ERR_CONFIG_INVALID for any other url, FB_ERR_UNAVAILABLE if it cannot be opened or is newer than this program.
 */
export async function openDatabase({ url }: { readonly url: string }): Promise<Database> {
  const database = await openAsIs({ url });
  try {
    await migrate(database);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** The same without changing its schema: for inspection, or for going back to an older version. */
export async function openAsIs({ url }: { readonly url: string }): Promise<Database> {
  if (url.startsWith('sqlite:')) return openSqlite({ path: url.slice('sqlite:'.length) });
  // Loaded only here: SQLite users do not need the client.
  if (/^postgres(ql)?:\/\//.test(url)) return (await import('./postgres.ts')).openPostgres({ url });
  throw new FirebreakError('FB_ERR_CONFIG_INVALID', 'the database URL must begin with `sqlite:` or `postgres://`');
}
