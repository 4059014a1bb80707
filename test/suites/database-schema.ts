import { afterEach, describe, expect, test } from '@jest/globals';
import { createAuditStore } from '../../integrations/database/audit-store.ts';
import { openAsIs, openDatabase } from '../../integrations/database/database.ts';
import { migrate, migrateBack, migrations, schemaOf } from '../../integrations/database/migrations.ts';
import type { Database } from '../../integrations/database/queries.ts';
import { numberOf } from '../../integrations/database/row.ts';
import {
  isEmptyDatabase,
  replaceTables,
  rowsOf,
  type TableRow,
  type TableShape,
  tablesAt,
} from '../../integrations/database/table-rows.ts';
import { run } from './audit-store.ts';

/** Schema versions, and whole tables read and written, on any database: `newUrl` returns the address of an empty one. */
export function databaseSchemaSuite(newUrl: () => Promise<string>): void {
  const opened: Database[] = [];
  const opening = async (url: string, open: typeof openDatabase): Promise<Database> => {
    const database = await open({ url });
    opened.push(database);
    return database;
  };
  afterEach(async () => {
    for (const database of opened.splice(0)) await database.close();
  });
  const newest = migrations.length;

  /** Checks that each table of a version can be queried, and that no column of another version exists. */
  async function hasSchema(database: Database, schema: number): Promise<void> {
    for (const { name, columns } of await tablesAt(schema))
      expect(
        Object.keys((await database.all(`SELECT * FROM ${name} RIGHT JOIN (SELECT 1 AS one) AS o ON true`))[0] ?? {}).sort(),
      ).toEqual([...columns, 'one'].sort());
    const gone = (await tablesAt(newest)).filter(({ name }) => !later.get(schema)?.has(name));
    for (const { name } of gone)
      await expect(database.all(`SELECT 1 FROM ${name}`)).rejects.toMatchObject({ code: 'FB_ERR_INTERNAL' });
  }
  const later = new Map<number, ReadonlySet<string>>();

  describe('the schema', () => {
    test('goes back one version after the other, and forward again from each', async () => {
      for (let schema = 0; schema <= newest; schema += 1)
        later.set(schema, new Set((await tablesAt(schema)).map(({ name }) => name)));
      const database = await opening(await newUrl(), openDatabase);
      await createAuditStore(database).append(run('a@1', 1, 3));
      for (let schema = newest - 1; schema > 0; schema -= 1) {
        await migrateBack(database, { to: schema });
        expect((await schemaOf(database)).number).toBe(schema);
        await hasSchema(database, schema);
      }
      // There are records of all versions.
      expect(await database.all('SELECT COUNT(*) AS many FROM audit_records')).toMatchObject([{ many: expect.anything() }]);
      for (const schema of [1, newest - 1]) {
        await migrate(database);
        await hasSchema(database, newest);
        await migrateBack(database, { to: schema });
        await hasSchema(database, schema);
      }
    });

    test('of a newer version does not keep an older program from its work, unless it breaks with it', async () => {
      const url = await newUrl();
      const database = await opening(url, openDatabase);
      await database.all(`INSERT INTO schema_migrations VALUES (98, 'a table more', '2030-01-01', 0)`);
      const other = await opening(url, openDatabase);
      expect(await schemaOf(other)).toEqual({ number: 98, needs: expect.any(Number) });
      await createAuditStore(other).append(run('a@1', 1, 1));
      await expect(migrateBack(database, { to: 1 })).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
      await database.all(`INSERT INTO schema_migrations VALUES (99, 'all is new', '2030-01-01', 1)`);
      await expect(openDatabase({ url })).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
    });

    test('two processes that open an empty database at once both get the schema', async () => {
      const url = await newUrl();
      const databases = await Promise.all([opening(url, openDatabase), opening(url, openDatabase), opening(url, openDatabase)]);
      const all = 'SELECT number FROM schema_migrations ORDER BY number';
      const done = await Promise.all(databases.map((database) => database.all(all)));
      const each = migrations.map((_, index) => index + 1);
      expect(done.map((rows) => rows.map((row) => numberOf(row, 'number')))).toEqual([each, each, each]);
    });

    test('is not touched by who only looks', async () => {
      const database = await opening(await newUrl(), openAsIs);
      expect(await schemaOf(database)).toEqual({ number: 0, needs: 0 });
    });
  });

  describe('whole tables', () => {
    const contents = async (database: Database) => {
      const all: [TableShape, TableRow[]][] = [];
      for (const table of await tablesAt(newest)) {
        const rows: TableRow[] = [];
        for await (const some of rowsOf(database, table)) rows.push(...some);
        all.push([table, rows]);
      }
      return all;
    };

    test('are read in one snapshot while others write, and are the same in another database', async () => {
      const url = await newUrl();
      const [reader, writer] = [await opening(url, openAsIs), await opening(url, openDatabase)];
      await createAuditStore(writer).append(run('a@1', 1, 1_200));
      expect(await isEmptyDatabase(writer, newest)).toBe(false);
      const read = await reader.snapshot(async (queries) => {
        const rows: (readonly [string, readonly TableRow[]])[] = [];
        for (const table of await tablesAt(newest))
          for await (const some of rowsOf(queries, table)) {
            // Between two pages, and before the tables that follow.
            await createAuditStore(writer).append(run(`b@${rows.length}`, 1, 2));
            rows.push([table.name, some]);
          }
        return rows;
      });
      const count = (table: string) => read.filter(([name]) => name === table).reduce((sum, [, some]) => sum + some.length, 0);
      expect([count('audit_records'), count('audit_heads')]).toEqual([1_200, 1]);

      const other = await opening(await newUrl(), openDatabase);
      await createAuditStore(other).append(run('old@1', 1, 2));
      await replaceTables(other, {
        schema: newest,
        rows: async function* ({ name }) {
          for (const [table, some] of read) if (table === name) yield some;
        },
      });
      expect((await createAuditStore(other).storedChain('a@1')).records).toHaveLength(1_200);
      expect(await createAuditStore(other).chains([''])).toEqual(['a@1']);
      expect((await contents(other)).flatMap(([, rows]) => rows)).toEqual(read.flatMap(([, some]) => some));
    });

    test('are as they were when their replacement stops half way', async () => {
      const database = await opening(await newUrl(), openDatabase);
      await createAuditStore(database).append(run('a@1', 1, 3));
      const before = await contents(database);
      const replaced = replaceTables(database, {
        schema: 6,
        rows: async function* ({ name }) {
          if (name === 'audit_heads') throw new Error('the disk is gone');
          yield [];
        },
      });
      await expect(replaced).rejects.toThrow('the disk is gone');
      expect(await contents(database)).toEqual(before);
      expect((await schemaOf(database)).number).toBe(newest);
    });

    test('of an older version are brought forward with their rows', async () => {
      const [cards] = (await tablesAt(2)).filter(({ name }) => name === 'card_messages');
      const database = await opening(await newUrl(), openAsIs);
      await replaceTables(database, {
        schema: 2,
        rows: async function* ({ name }) {
          if (name === cards?.name) yield [['k', 'C1', '1']];
        },
      });
      await migrate(database);
      expect(await database.all('SELECT * FROM card_messages')).toEqual([{ message_key: 'k', channel: 'C1', ts: '1' }]);
      expect((await schemaOf(database)).number).toBe(newest);
      await expect(tablesAt(newest + 1)).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
    });
  });
}
