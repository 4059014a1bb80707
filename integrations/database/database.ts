import { FirebreakError } from '../../core/errors.ts';
import { migrate } from './migrations.ts';
import { openPostgres } from './postgres.ts';
import { openSqlite } from './sqlite.ts';

export type Parameter = string | number | null;
export type Row = Readonly<Record<string, unknown>>;

/** Statements that SQLite and PostgreSQL both understand, with `$1`, `$2` … for the parameters. */
export interface Queries {
  all(sql: string, parameters?: readonly Parameter[]): Promise<readonly Row[]>;
}

export interface Database extends Queries {
  readonly kind: 'sqlite' | 'postgres';
  /** All or nothing, durable when it resolves. */
  transaction<Result>(work: (queries: Queries) => Promise<Result>): Promise<Result>;
  /** Reads that all see the same moment. */
  snapshot<Result>(work: (queries: Queries) => Promise<Result>): Promise<Result>;
  /** Inside a transaction: waits until no other process migrates. */
  lockForMigration(queries: Queries): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the store at `sqlite:PATH` (the folder must exist) or `postgres://…` and brings its schema up to date.
 * @throws FB_ERR_CONFIG_INVALID for another url, FB_ERR_UNAVAILABLE when it cannot be opened or is newer than this program.
 */
export async function openDatabase({ url }: { readonly url: string }): Promise<Database> {
  const database = await connect(url);
  try {
    await migrate(database);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function connect(url: string): Promise<Database> {
  if (url.startsWith('sqlite:')) return openSqlite({ path: url.slice('sqlite:'.length) });
  if (/^postgres(ql)?:\/\//.test(url)) return openPostgres({ url });
  throw new FirebreakError('FB_ERR_CONFIG_INVALID', 'the database url begins with neither `sqlite:` nor `postgres://`');
}
