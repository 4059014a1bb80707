import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import { alertArchiveSuite } from '../../suites/alert-archive.ts';
import { auditStoreSuite, run } from '../../suites/audit-store.ts';
import { databaseSchemaSuite } from '../../suites/database-schema.ts';
import { incidentIndexSuite } from '../../suites/incident-index.ts';
import { incidentListSuite } from '../../suites/incident-list.ts';
import { streamFeedSuite } from '../../suites/stream-feed.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-sqlite-'));
let files = 0;
const newPath = (): string => join(folder, `audit-${files++}.db`);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('on SQLite', () => {
  auditStoreSuite(async () => `sqlite:${newPath()}`);
  streamFeedSuite(async () => `sqlite:${newPath()}`);
  incidentIndexSuite(async () => `sqlite:${newPath()}`);
  incidentListSuite(async () => `sqlite:${newPath()}`);
  alertArchiveSuite(async () => `sqlite:${newPath()}`);
  databaseSchemaSuite(async () => `sqlite:${newPath()}`);

  test('what was acknowledged survives kill -9', async () => {
    const path = newPath();
    const program = `
      import { createAuditStore } from './integrations/database/audit-store.ts';
      import { openDatabase } from './integrations/database/database.ts';
      const audit = createAuditStore(await openDatabase({ url: process.argv[1] }));
      for (let number = 1; ; number += 1) {
        const record = { chain: 'a@1', number, at: '2026-03-01T10:00:00Z', kind: 'k', actor: 'engine', body: {} };
        await audit.append([{ record, keyId: 'k', follows: 'f', salt: 's', signature: 's' }]);
        process.stdout.write(number + '\\n');
      }`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program, `sqlite:${path}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (bytes) => {
      said += bytes;
      if (said.split('\n').length > 20) child.kill('SIGKILL');
    });
    await once(child, 'close');
    const acknowledged = said.split('\n').slice(0, -1).length;
    const database = await openDatabase({ url: `sqlite:${path}` });
    expect((await createAuditStore(database).storedChain('a@1')).records.length).toBeGreaterThanOrEqual(acknowledged);
    expect(acknowledged).toBeGreaterThanOrEqual(20);
    await database.close();
  });

  test('says so when the folder is missing or the database is unsupported', async () => {
    await expect(openDatabase({ url: `sqlite:${folder}/none/audit.db` })).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
    await expect(openDatabase({ url: 'mysql://host/db' })).rejects.toMatchObject({ code: 'FB_ERR_CONFIG_INVALID' });
  });

  test('writes through to the disk: WAL and synchronous FULL', async () => {
    const database = await openDatabase({ url: `sqlite:${newPath()}` });
    expect(await database.all('PRAGMA journal_mode')).toEqual([{ journal_mode: 'wal' }]);
    expect(await database.all('PRAGMA synchronous')).toEqual([{ synchronous: 2 }]);
    await createAuditStore(database).append(run('a@1', 1, 1));
    await database.close();
  });
});
