import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { FirebreakError } from '../../core/errors.ts';
import type { Database, Parameter, Queries, Row } from './queries.ts';

/** How long a writer waits for another transaction, in milliseconds. */
const patience = 5000;
const rememberedStatements = 200;

/**
 * One file, written by one process; a second one waits its turn and fails with FB_ERR_UNAVAILABLE after 5 s. WAL with `synchronous = FULL`: a transaction is on
 * the disk when it resolves.
 */
export async function openSqlite({ path }: { readonly path: string }): Promise<Database> {
  const file = guarded(() => {
    closeSync(openSync(path, 'a', 0o600));
    return new DatabaseSync(path, { timeout: 0 });
  });
  await whenFree(() => file.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;'));
  const statements = new LRUCache<string, StatementSync>({ max: rememberedStatements });
  const statement = (sql: string): StatementSync => {
    const known = statements.get(sql);
    if (known) return known;
    const prepared = file.prepare(sql);
    prepared.setReturnArrays(true);
    statements.set(sql, prepared);
    return prepared;
  };
  const queries: Queries = {
    all: async (sql, parameters = []): Promise<readonly Row[]> =>
      whenFree(() => rowsOf(statement(sql), Object.fromEntries(parameters.map(bound)))),
  };

  // There is one connection: calls during a transaction wait, so as not to land inside it.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
  const within = async <Result>(begin: string, work: (queries: Queries) => Promise<Result>): Promise<Result> => {
    await whenFree(() => file.exec(begin));
    try {
      const result = await work(queries);
      await whenFree(() => file.exec('COMMIT'));
      return result;
    } catch (error) {
      if (file.isTransaction) file.exec('ROLLBACK');
      throw error;
    }
  };
  const transaction = <Result>(begin: string, work: (queries: Queries) => Promise<Result>): Promise<Result> =>
    inTurn(() => within(begin, work));

  return {
    kind: 'sqlite',
    all: (sql, parameters) => inTurn(() => queries.all(sql, parameters)),
    transaction: (work) => transaction('BEGIN IMMEDIATE', work),
    note: (work) =>
      inTurn(async () => {
        file.exec('PRAGMA synchronous = NORMAL');
        try {
          return await within('BEGIN IMMEDIATE', work);
        } finally {
          file.exec('PRAGMA synchronous = FULL');
        }
      }),
    snapshot: (work) => transaction('BEGIN', work),
    migration: (work) => transaction('BEGIN IMMEDIATE', work),
    close: () =>
      inTurn(async () => {
        if (file.isOpen) file.close();
      }),
  };
}

/** Built here from lists of values: the driver's own objects take two to three times as long, both to create and to read. */
function rowsOf(statement: StatementSync, parameters: Readonly<Record<string, Parameter>>): readonly Row[] {
  const rows: readonly unknown[] = statement.all(parameters);
  if (rows.length === 0) return [];
  const names = statement.columns().map(({ name }) => name);
  return rows.map((values) => {
    const row: Record<string, unknown> = {};
    if (Array.isArray(values)) for (let at = 0; at < names.length; at += 1) row[names[at] ?? ''] = values[at];
    return row;
  });
}

function bound(parameter: Parameter, index: number): [string, Parameter] {
  return [`$${index + 1}`, parameter];
}

/** Waits while another connection writes. SQLite's own waiting would block the whole process. */
async function whenFree<Result>(work: () => Result): Promise<Result> {
  const deadline = Date.now() + patience;
  for (let pause = 1; ; pause = Math.min(pause * 2, 50)) {
    try {
      return work();
    } catch (error) {
      if (resultCode(error) !== busy || Date.now() > deadline) throw named(error);
      await sleep(pause);
    }
  }
}

/** https://www.sqlite.org/rescode.html */
const busy = 5;
const faults: ReadonlySet<number> = new Set([1, 19, 20, 25]);

function resultCode(error: unknown): number {
  const isCoded = typeof error === 'object' && error !== null && 'errcode' in error;
  return isCoded && typeof error.errcode === 'number' ? error.errcode & 0xff : 0;
}

/** SQLite's own messages may contain values of rows: only its result code is passed on. */
function named(error: unknown): FirebreakError {
  const code = resultCode(error);
  return new FirebreakError(faults.has(code) ? 'FB_ERR_INTERNAL' : 'FB_ERR_UNAVAILABLE', `SQLite: result code ${code}`);
}

function guarded<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw named(error);
  }
}
