import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { AuditStore } from '../../../core/audit/audit-store.ts';
import { sha256Hex } from '../../../core/text/digest.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import type { Database } from '../../../integrations/database/queries.ts';
import { signerFrom } from '../../../integrations/keys/ed25519.ts';
import { loadConfig } from '../../../service/config/load.ts';
import { Journal } from '../../../service/desk/journal.ts';
import { recordConfiguration } from '../../../service/records/at-start.ts';
import { newPrivateKey } from '../../suites/private-key.ts';
import { deskMaker, makersTrust } from '../../suites/signed-records.ts';

describe('the configuration of a desk', () => {
  let folder: string;
  let database: Database;
  let store: AuditStore;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'firebreak-at-start-'));
    database = await openDatabase({ url: `sqlite:${join(folder, 'audit.db')}` });
    store = createAuditStore(database);
  });
  afterEach(async () => {
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Starts the desk of a cluster; `pem` is the key of another one. */
  const start = async (chain: string, sha256: string, version = '1.0.0', pem = deskMaker.pem): Promise<void> => {
    const journal = new Journal({
      store,
      chain,
      signer: signerFrom({ pem, name: 'desk' }),
      log: (problem) => expect(problem).toBe(''),
    });
    await recordConfiguration({ store, trust: makersTrust, journal, chain, running: { sha256, version } });
    await journal.flush();
  };
  const told = async (chain: string) =>
    (await store.storedChain(chain)).records.map(({ signed }) => [
      signed?.record.kind,
      signed?.record.body.sha256,
      signed?.record.body.version,
    ]);

  test('is recorded once, and again when it or Firebreak changes', async () => {
    await start('desk/c', 'aa');
    await start('desk/c', 'aa');
    await start('desk/c', 'bb');
    await start('desk/c', 'bb', '1.1.0');
    await start('desk/c', 'aa', '1.1.0');
    expect(await told('desk/c')).toEqual([
      ['configuration.loaded', 'aa', '1.0.0'],
      ['configuration.loaded', 'bb', '1.0.0'],
      ['configuration.loaded', 'bb', '1.1.0'],
      ['configuration.loaded', 'aa', '1.1.0'],
    ]);
  });

  test('is recorded by each desk: neither another chain’s record nor one that no desk signed prevents that', async () => {
    await start('desk/d', 'aa');
    await start('desk/c', 'aa', '1.0.0', newPrivateKey());
    await start('desk/c', 'aa');
    expect(await told('desk/c')).toHaveLength(2);
  });

  test('is identified by the file’s SHA-256, as sha256sum prints it', () => {
    const text =
      'cluster: c\nintake: { tokens: [{ name: falco, token: { env: TOKEN } }] }\nroster: { people: [{ id: ana, name: Añá }], groups: { oncall: [ana], leads: [ana] } }\n';
    const path = join(folder, 'firebreak.yaml');
    writeFileSync(path, text);
    expect(loadConfig({ path, env: {} }).fileSha256).toBe(sha256Hex(text));
  });
});
