import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client } from 'pg';
import type { RecordRetention } from '../../core/audit/record-cut.ts';
import { createAlertArchive } from '../../integrations/database/alert-archive.ts';
import { createAuditStore } from '../../integrations/database/audit-store.ts';
import { openDatabase } from '../../integrations/database/database.ts';
import { createStreamFeed } from '../../integrations/database/outbound/stream-feed.ts';
import type { Database } from '../../integrations/database/queries.ts';
import { createVerifier, signerFrom } from '../../integrations/keys/ed25519.ts';
import { rightsStatements } from '../../service/records/database-rights.ts';
import { createNotary } from '../../service/records/notary.ts';
import { carryOutCuts, orderCuts, type RetentionParts } from '../../service/records/retention.ts';
import { verifyAudit } from '../../service/records/verify-audit.ts';
import { firebreakHere } from '../command-line.ts';
import { newPrivateKey } from '../suites/private-key.ts';
import { configurationFor, recordsOfLongAgo } from '../suites/records-over-time.ts';
import { deskMaker, maker, makersTrust, noSigners } from '../suites/signed-records.ts';
import { findPostgres } from '../suites.mjs';
import { type Databases, startDatabases } from './databases.ts';

const isHere = findPostgres() !== undefined;
const onPostgres = isHere ? describe : describe.skip;
const title = 'database users with no more rights than they need';
const chain = 'incident/c/shop/Deployment/cart@1';
const journal = 'desk/main';
const retention: RecordRetention = { days: { unanswered: 90, journals: 90 }, earlier: [] };

onPostgres(isHere ? title : `${title} (skipped: initdb and postgres are not on this machine)`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-rights-'));
  const notaryKey = signerFrom({ pem: newPrivateKey(), name: 'notary' });
  const verifier = createVerifier({ publicKeys: [notaryKey.publicKey] });
  const begin = Date.parse('2026-01-01T00:00:00.000Z');
  let now = new Date(begin);
  let servers: Databases | undefined;
  let ownerUrl = '';
  const open: Database[] = [];

  const urlOf = (user: string, of = ownerUrl): string => {
    const url = new URL(of);
    url.username = user;
    url.password = user;
    return url.href;
  };
  const as = async (url: string): Promise<Database> => {
    const database = await openDatabase({ url });
    open.push(database);
    return database;
  };
  const asOwner = async (statements: readonly string[], connectionString = ownerUrl): Promise<void> => {
    const client = new Client({ connectionString });
    await client.connect();
    try {
      for (const statement of statements) await client.query(statement);
    } finally {
      await client.end();
    }
  };

  beforeAll(async () => {
    servers = await startDatabases();
    ownerUrl = await servers.next();
    // The owner has the schema.
    await (await openDatabase({ url: ownerUrl })).close();
    await asOwner(["CREATE ROLE desk LOGIN PASSWORD 'desk'", "CREATE ROLE cuts LOGIN PASSWORD 'cuts'"]);
    await asOwner(rightsStatements({ desk: 'desk', cuts: 'cuts' }));
  });
  afterAll(async () => {
    for (const database of open) await database.close();
    await servers?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const parts = (database: Database): RetentionParts => ({
    ...{ store: createAuditStore(database), verifier, trust: makersTrust, signers: noSigners, retention, now: () => now },
  });
  const sign = async (database: Database): Promise<void> => {
    const fail = (problem: unknown): never => {
      throw problem;
    };
    const options = { store: createAuditStore(database), signer: notaryKey, verifier, everyMs: 60_000, now: () => now };
    await createNotary({ ...options, onAlarm: fail, onError: fail }).stop();
  };

  test('a desk adds records and orders cuts, a separate user carries them out, and neither can do what the other does', async () => {
    const desk = await as(urlOf('desk'));
    const store = createAuditStore(desk);
    const at = now.toISOString();
    const made = (number: number, kind: string, body = {}) => maker.sign({ chain, number, at, kind, actor: 'engine', body });
    await store.append([made(1, 'incident.opened'), made(2, 'incident.closed', { answered: 'nobody' })]);
    await store.appendNext(journal, async (number) =>
      deskMaker.sign({ chain: journal, number, at, kind: 'click.refused', actor: 'slack/U1', body: {} }),
    );
    await sign(desk);
    for (const statement of [
      `UPDATE audit_records SET actor = 'somebody'`,
      'DELETE FROM audit_records',
      'TRUNCATE audit_records',
      'DELETE FROM audit_heads',
      'DELETE FROM audit_checkpoints',
      'DROP TABLE audit_records',
      'CREATE RULE gone AS ON INSERT TO audit_records DO INSTEAD NOTHING',
    ])
      await expect(desk.all(statement)).rejects.toMatchObject({ detail: 'PostgreSQL: 42501' });

    now = new Date(begin + 100 * 86_400_000);
    const signer = signerFrom({ pem: deskMaker.pem, name: 'the desk' });
    expect(await orderCuts({ ...parts(desk), signer })).toMatchObject({ chains: 2, records: 3 });
    await sign(desk);
    await expect(carryOutCuts(parts(desk))).rejects.toMatchObject({ detail: 'PostgreSQL: 42501' });

    const cuts = await as(urlOf('cuts'));
    expect(await carryOutCuts(parts(cuts))).toMatchObject({ chains: 2, records: 3, problems: [] });
    for (const statement of [
      `INSERT INTO audit_heads (chain, number, hash) VALUES ('x', 1, 'x')`,
      `UPDATE audit_heads SET number = 0`,
      // The content of a record can be emptied, but its position, time and signature cannot be touched.
      `UPDATE audit_records SET kind = 'incident.closed'`,
      `UPDATE audit_records SET hash = 'x'`,
      'DELETE FROM audit_checkpoints',
    ])
      await expect(cuts.all(statement)).rejects.toMatchObject({ detail: 'PostgreSQL: 42501' });
    expect(await verifyAudit(parts(cuts))).toMatchObject({ ok: true, cut: { chains: 2, records: 3, ordered: 0 } });

    // The desk continues where its journal was cut.
    await store.appendNext(journal, async (number) =>
      deskMaker.sign({ chain: journal, number, at, kind: 'click.refused', actor: 'slack/U1', body: { number } }),
    );
    await sign(desk);
    expect(await verifyAudit(parts(desk))).toMatchObject({ ok: true });
  });

  test('the same by commands: the owner creates the schema and grants the rights, a desk records cuts, another user deletes', async () => {
    const owner = (await servers?.next()) ?? '';
    const home = join(folder, 'home');
    const file = configurationFor({
      folder: home,
      url: owner,
      retention: '{ unansweredDays: 90, journalDays: 90, carryOut: false }',
    });
    const firebreak = (args: readonly string[], url: string) => firebreakHere(args, { folder: home, env: { AUDIT_URL: url } });
    expect((await firebreak(['database', 'migrate', '--config', file], owner)).stdout).toMatch(
      /^The database has schema \d+\.\n$/,
    );
    const { stdout: statements } = await firebreak(['database', 'rights', '--desk', 'desk', '--cuts', 'cuts'], owner);
    await asOwner([statements], owner);
    const old = await recordsOfLongAgo({
      ...{ folder: home, url: urlOf('desk', owner), commandsUrl: urlOf('cuts', owner) },
      retention: '{ unansweredDays: 90, journalDays: 90, carryOut: false }',
    });
    open.push(old.database);
    await old.look();
    await old.sign();
    expect(await old.look()).toEqual([]);
    expect((await firebreak(['records', 'cut', '--carry-out', '--config', file], urlOf('desk', owner))).stderr).toContain(
      '42501',
    );
    expect((await old.firebreak('records', 'cut')).stdout).toContain('5 records of 2 chains are marked as expired');
    expect((await old.firebreak('records', 'cut', '--carry-out')).stdout).toBe('Deleted 5 records of 2 chains.\n');
    const report = JSON.parse((await old.firebreak('audit', 'verify', '--allow-stale', 'no log', '--json')).stdout);
    expect(report).toMatchObject({ ok: true, cut: { chains: 2, records: 5, ordered: 0 } });
    const shown = await firebreak(['database', 'migrate', '--config', file], urlOf('desk', owner));
    expect(shown.status).toBe(0);
  });

  test('a desk may do everything else that it needs to', async () => {
    const desk = await as(urlOf('desk'));
    const archive = createAlertArchive(desk);
    await archive.keep([{ chain, number: 1, at: '2026-01-01T00:00:00.000Z', sealed: Buffer.from('x') }]);
    await archive.expire('2027-01-01T00:00:00.000Z');
    const feed = createStreamFeed(desk);
    await feed.begin('siem', 'now');
    expect(await feed.claim('siem', 'desk-1', 1_000)).toBe(true);
    for (const { name } of await tablesOf(desk))
      if (!name.startsWith('audit_') && name !== 'schema_migrations') await desk.all(`DELETE FROM ${name} WHERE 1 = 0`);
  });

  async function tablesOf(database: Database): Promise<readonly { readonly name: string }[]> {
    const rows = await database.all(`SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`);
    return rows.map(({ name }) => ({ name: String(name) }));
  }

  test('an invalid user name gets into no statement', () => {
    expect(() => rightsStatements({ desk: 'desk"; DROP TABLE audit_records; --' })).toThrow(
      'not a valid name of a database user',
    );
  });
});
