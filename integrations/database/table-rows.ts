import { DatabaseSync } from 'node:sqlite';
import { FirebreakError } from '../../core/errors.ts';
import { makeSchema, migrations } from './migrations.ts';
import type { Database, Parameter, Queries, Row } from './queries.ts';
import { numberOf, placeholders, textOf } from './row.ts';

/** A table as a given version of the schema defines it. */
export interface TableShape {
  readonly name: string;
  readonly columns: readonly string[];
  /** Columns that identify its rows, and order them when read. */
  readonly key: readonly string[];
}

export type TableRow = readonly Parameter[];

/** Both databases accept some tens of thousands of parameters per statement. */
const rowsAtOnce = 500;

/**
 * The tables of a schema version, by name: read from an empty database of that version. @throws FB_ERR_UNAVAILABLE for a version that this program does not
 * know.
 */
export async function tablesAt(schema: number): Promise<readonly TableShape[]> {
  if (!Number.isInteger(schema) || schema < 0 || schema > migrations.length)
    throw new FirebreakError(
      'FB_ERR_UNAVAILABLE',
      `schema ${schema} belongs to another version of Firebreak; this version supports up to ${migrations.length}`,
    );
  const empty = new DatabaseSync(':memory:');
  try {
    const bound = (parameters: readonly Parameter[]) => Object.fromEntries(parameters.map((value, at) => [`$${at + 1}`, value]));
    const queries: Queries = {
      all: async (sql, parameters = []): Promise<readonly Row[]> => empty.prepare(sql).all(bound(parameters)),
    };
    await makeSchema(queries, schema);
    const tables = await queries.all(
      `SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'schema_migrations' ORDER BY name`,
    );
    return await Promise.all(
      tables.map(async (row): Promise<TableShape> => {
        const name = textOf(row, 'name');
        const columns = await queries.all('SELECT name, pk FROM pragma_table_info($1) ORDER BY cid', [name]);
        const inKey = columns.filter((column) => numberOf(column, 'pk') > 0);
        const key = inKey.toSorted((a, b) => numberOf(a, 'pk') - numberOf(b, 'pk'));
        return {
          name,
          columns: columns.map((column) => textOf(column, 'name')),
          key: key.map((column) => textOf(column, 'name')),
        };
      }),
    );
  } finally {
    empty.close();
  }
}

/** All rows of a table, some hundred at a time. Consistent if `queries` belong to a snapshot. */
export async function* rowsOf(queries: Queries, { name, columns, key }: TableShape): AsyncGenerator<readonly TableRow[]> {
  const order = key.join(', ');
  const places = key.map((_, at) => `$${at + 1}`).join(', ');
  let after: TableRow | undefined;
  for (;;) {
    const beyond = after ? `WHERE (${order}) > (${places}) ` : '';
    const sql = `SELECT ${columns.join(', ')} FROM ${name} ${beyond}ORDER BY ${order} LIMIT ${rowsAtOnce}`;
    const rows = await queries.all(sql, after ?? []);
    const last = rows.at(-1);
    if (!last) return;
    yield rows.map((row) => columns.map((column) => parameterOf(row, column)));
    after = key.map((column) => parameterOf(last, column));
  }
}

/** Whether any table has a row. A database without tables has none. */
export async function isEmptyDatabase(database: Queries, schema: number): Promise<boolean> {
  for (const { name } of await tablesAt(schema))
    if ((await database.all(`SELECT 1 AS one FROM ${name} LIMIT 1`)).length > 0) return false;
  return true;
}

/** Replaces the whole content of a database. */
interface TableContents {
  /** Schema version of the rows. */
  readonly schema: number;
  rows(table: TableShape): AsyncIterable<readonly TableRow[]>;
}

/** All or nothing: afterwards the database has this schema and exactly these rows. */
export async function replaceTables(database: Database, { schema, rows }: TableContents): Promise<void> {
  const tables = await tablesAt(schema);
  await database.migration(async (queries) => {
    for (const { name } of [...(await tablesAt(migrations.length)), ...tables]) await queries.all(`DROP TABLE IF EXISTS ${name}`);
    await queries.all('DROP TABLE IF EXISTS schema_migrations');
    await makeSchema(queries, schema);
    for (const table of tables) for await (const some of rows(table)) await insert(queries, table, some);
  });
}

async function insert(queries: Queries, { name, columns }: TableShape, rows: readonly TableRow[]): Promise<void> {
  for (let from = 0; from < rows.length; from += rowsAtOnce) {
    const part = rows.slice(from, from + rowsAtOnce);
    const values = placeholders({ rows: part.length, columns: columns.length });
    await queries.all(`INSERT INTO ${name} (${columns.join(', ')}) VALUES ${values}`, part.flat());
  }
}

function parameterOf(row: Row, column: string): Parameter {
  const value = row[column];
  if (typeof value === 'string' || typeof value === 'number' || value === null) return value;
  throw new FirebreakError('FB_ERR_INTERNAL', `the database’s column ${column} holds neither text nor a number`);
}
