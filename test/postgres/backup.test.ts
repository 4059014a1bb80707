import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createAuditStore } from '../../integrations/database/audit-store.ts';
import { openDatabase } from '../../integrations/database/database.ts';
import { createVerifier, openSigner } from '../../integrations/keys/ed25519.ts';
import { makeBackup } from '../../service/backup/backup.ts';
import { oldPlace } from '../../service/backup/place.ts';
import { checkBackup, restoreBackup, restoreConfig, restoreObstacles } from '../../service/backup/restore.ts';
import { auditReport } from '../../service/commands/records/audit.ts';
import { loadConfig } from '../../service/config/load.ts';
import { run } from '../suites/audit-store.ts';
import { signNow, writeConfiguration } from '../suites/signed-records.ts';
import { findPostgres } from '../suites.mjs';
import { type Databases, startDatabases } from './databases.ts';

const isHere = findPostgres() !== undefined;
const onPostgres = isHere ? describe : describe.skip;
const title = 'a backup of PostgreSQL';

onPostgres(isHere ? title : `${title} (skipped: initdb and postgres are not on this machine)`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-backup-'));
  let databases: Databases | undefined;
  beforeAll(async () => {
    databases = await startDatabases();
  });
  afterAll(async () => {
    await databases?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test('is restored into an empty PostgreSQL or SQLite alike', async () => {
    const home = join(folder, 'home');
    mkdirSync(join(home, 'keys'), { recursive: true });
    writeConfiguration(home);
    const signer = await openSigner({ file: join(home, 'keys/notary.pem'), create: true });
    const url = (await databases?.next()) ?? '';
    const database = await openDatabase({ url });
    const store = createAuditStore(database);
    // Whatever the sort order of the database’s locale is.
    for (const name of ['Z', 'a', 'ä']) await store.append(run(`incident/lab/shop/Deployment/${name}@1`, 1, 700));
    await signNow({ store, signer });
    await database.close();
    const configFile = join(home, 'firebreak.yaml');
    const made = { config: loadConfig({ path: configFile, env: {} }), configFile, env: {}, signer, evidence: 'none' } as const;
    const { from, manifest } = await makeBackup({ ...made, to: folder, databaseUrl: url });
    expect(manifest.database).toMatchObject({ kind: 'postgres' });
    const verifier = createVerifier({ publicKeys: [signer.publicKey] });
    const checked = await checkBackup(await oldPlace({ from, config: undefined, env: {} }), verifier);
    for (const kind of ['postgres', 'sqlite']) {
      const to = join(folder, kind);
      const databaseUrl = kind === 'sqlite' ? `sqlite:${join(to, 'audit.db')}` : ((await databases?.next()) ?? '');
      await restoreConfig(checked, join(to, 'firebreak.yaml'));
      const config = loadConfig({ path: join(to, 'firebreak.yaml'), env: {} });
      const work = { backup: checked, config, configFile: join(to, 'firebreak.yaml'), env: {}, databaseUrl, force: false };
      await restoreBackup(work);
      expect(await restoreObstacles(work)).toContain('the database holds records');
      if (kind === 'postgres') {
        writeFileSync(join(to, 'url'), databaseUrl);
        rewrite(join(to, 'firebreak.yaml'), to);
      }
      const publicKey = [join(home, 'keys/notary.pem.pub')];
      expect(await auditReport({ config: join(to, 'firebreak.yaml'), publicKey })).toMatchObject({
        ok: true,
        records: 2_100,
        chains: 3,
      });
    }
  });
});

function rewrite(configFile: string, folder: string): void {
  const text = readFileSync(configFile, 'utf8');
  writeFileSync(configFile, text.replace("url: 'sqlite:audit.db'", `url: { file: '${join(folder, 'url')}' }`));
}
