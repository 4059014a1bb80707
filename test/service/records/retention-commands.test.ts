import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openAsIs } from '../../../integrations/database/database.ts';
import { migrateBack, migrations, schemaOf } from '../../../integrations/database/migrations.ts';
import { openSigner } from '../../../integrations/keys/ed25519.ts';
import { asked, idle, journal, type OldRecords, recordsOfLongAgo } from '../../suites/records-over-time.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-retention-commands-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ninety = '{ unansweredDays: 90, journalDays: 90 }';
const byHand = '{ unansweredDays: 90, journalDays: 90, carryOut: false }';

describe('records whose retention is over', () => {
  let homes = 0;
  let old: OldRecords;
  beforeEach(() => {
    homes += 1;
  });
  afterEach(() => old.close());

  const begin = async (retention: string): Promise<void> => {
    const home = join(folder, `${homes}`);
    old = await recordsOfLongAgo({ folder: home, url: `sqlite:${join(home, 'audit.db')}`, retention });
  };
  const counts = () =>
    Promise.all([idle, asked, journal].map(async (chain) => (await old.store.storedChain(chain)).records.length));
  const json = async (...args: readonly string[]) => JSON.parse((await old.firebreak(...args, '--json')).stdout);

  /** No transparency log runs here. */
  const verified = () => json('audit', 'verify', '--allow-stale', 'no log');

  test('are recorded as cut by one look of a desk and deleted by the next, and its log says so', async () => {
    await begin(ninety);
    expect(await old.look()).toEqual(['records are no longer kept']);
    expect(await counts()).toEqual([3, 3, 2]);
    expect(await old.look()).toEqual([]);
    expect(await counts()).toEqual([3, 3, 2]);
    await old.sign();
    expect(await old.look()).toEqual(['records are no longer kept']);
    expect(await counts()).toEqual([0, 3, 0]);
    expect(await old.look()).toEqual([]);
    expect(await verified()).toMatchObject({ ok: true, cut: { chains: 2, records: 5, ordered: 0 } });
  });

  test('stay if nothing is configured, or if somebody changed the records of cuts', async () => {
    await begin('{}');
    expect(await old.look()).toEqual([]);
    await old.close();
    homes += 1;
    await begin(ninety);
    await old.look();
    await old.sign();
    await old.database.all(`UPDATE audit_records SET actor = 'somebody' WHERE kind = 'records.cut'`);
    expect(await old.look()).toEqual(['cannot delete expired records; trying again']);
    expect(await counts()).toEqual([3, 3, 2]);
  });

  test('are deleted by the command if the desk may not, once somebody says so', async () => {
    await begin(byHand);
    expect((await old.firebreak('records', 'cut')).stdout).toBe(
      '0 records of 0 chains are marked as expired: --carry-out deletes them.\n',
    );
    await old.look();
    await old.sign();
    await old.look();
    expect(await counts()).toEqual([3, 3, 2]);
    expect(await old.firebreak('records', 'cut')).toMatchObject({
      status: 0,
      stdout: '5 records of 2 chains are marked as expired: --carry-out deletes them.\n',
    });
    expect(await counts()).toEqual([3, 3, 2]);
    expect(await json('records', 'cut', '--carry-out')).toEqual({
      ...{ deleted: true, chains: 2, records: 5, held: 0, problems: [] },
      removed: { records: 0, held: 0, problems: [] },
    });
    expect(await counts()).toEqual([0, 3, 0]);
    expect((await old.firebreak('records', 'cut', '--carry-out')).stdout).toBe('Deleted 0 records of 0 chains.\n');
    expect((await verified()).ok).toBe(true);
    expect((await old.firebreak('records', 'hold', 'list')).stdout).toBe('Nothing is held.\n');
  });

  test('that differ from what was cut are kept by the command, which says so', async () => {
    await begin(byHand);
    await old.look();
    await old.sign();
    await old.database.all(`UPDATE audit_records SET hash = '${'0'.repeat(64)}' WHERE chain = '${idle}' AND place = 2`);
    const done = await old.firebreak('records', 'cut', '--carry-out');
    expect(done.status).toBe(1);
    expect(done.stdout).toContain(`Kept: ${idle}: what is there is not what was cut.`);
    expect(await counts()).toEqual([3, 3, 0]);
  });

  test.each([
    ['from before its cut', false],
    ['from between its cut and its deletion', true],
  ])('come back with a backup %s, count as kept, and are cut again', async (_, isOrdered) => {
    await begin(ninety);
    const backups = join(old.folder, 'backups');
    mkdirSync(backups);
    const backUp = async (): Promise<string> => (await json('backup', '--to', backups, '--evidence', 'none')).from;
    let from = isOrdered ? '' : await backUp();
    await old.look();
    await old.sign();
    if (isOrdered) from = await backUp();
    await old.look();
    expect(await counts()).toEqual([0, 3, 0]);
    await old.close();
    const key = join(old.folder, 'keys/notary.pem.pub');
    const restored = await old.firebreak('restore', '--from', from, '--public-key', key, '--force', '--yes', '--target', 'lab');
    expect(restored).toMatchObject({ status: 0 });
    old = await old.again();
    expect(await counts()).toEqual([3, 3, 2]);
    const report = await verified();
    expect(report).toMatchObject({ ok: true, cut: { chains: 0, records: 0, ordered: isOrdered ? 2 : 0 } });
    if (!isOrdered) await old.look();
    await old.sign();
    if (isOrdered) expect((await old.firebreak('records', 'cut', '--carry-out')).stdout).toBe('Deleted 5 records of 2 chains.\n');
    else await old.look();
    expect(await counts()).toEqual([0, 3, 0]);
    expect(await verified()).toMatchObject({ ok: true, cut: { chains: 2, records: 5 } });
  });

  test('are cut, and verified, even if the notary has another key by now, if the previous one is named', async () => {
    await begin(ninety);
    await old.close();
    const file = (name: string): string => join(old.folder, name);
    for (const half of ['', '.pub']) renameSync(file(`keys/notary.pem${half}`), file(`keys/old.pem${half}`));
    await openSigner({ file: file('keys/notary.pem'), create: true });
    const configuration = readFileSync(file('firebreak.yaml'), 'utf8');
    expect((await verified()).findings[0]).toMatchObject({ kind: 'checkpoint-forged' });
    writeFileSync(file('firebreak.yaml'), configuration.replace('audit:', 'audit:\n  retiredNotaryKeys: [keys/old.pem.pub]'));
    old = await old.again();
    await old.look();
    await old.sign();
    await old.look();
    expect(await counts()).toEqual([0, 3, 0]);
    expect(await verified()).toMatchObject({ ok: true, cut: { chains: 2, records: 5 } });
  });

  test('are in a database whose schema a command upgrades', async () => {
    await begin(ninety);
    await old.close();
    const url = `sqlite:${join(old.folder, 'audit.db')}`;
    const before = await openAsIs({ url });
    await migrateBack(before, { to: migrations.length - 1 });
    await before.close();
    expect((await json('database', 'show')).number).toBe(migrations.length - 1);
    expect(await old.firebreak('database', 'migrate')).toMatchObject({
      status: 0,
      stdout: `The database has schema ${migrations.length}.\n`,
    });
    old = await old.again();
    expect((await schemaOf(old.database)).number).toBe(migrations.length);
  });
});
