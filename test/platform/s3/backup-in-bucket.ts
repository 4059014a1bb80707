import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import { openBucket } from '../../../integrations/evidence/bucket.ts';
import { createVerifier, openSigner } from '../../../integrations/keys/ed25519.ts';
import { makeBackup } from '../../../service/backup/backup.ts';
import { oldPlace } from '../../../service/backup/place.ts';
import { checkBackup, restoreBackup, restoreConfig } from '../../../service/backup/restore.ts';
import { loadConfig } from '../../../service/config/load.ts';
import type { S3Server } from '../../../tools/platform/s3-server.ts';
import { run } from '../../suites/audit-store.ts';
import { signNow, writeConfiguration } from '../../suites/signed-records.ts';

/** A backup whose parts are objects. */
export function backupInBucketTests(server: S3Server): void {
  describe('a backup in S3', () => {
    const folder = mkdtempSync(join(tmpdir(), 'firebreak-backup-s3-'));
    afterAll(() => rmSync(folder, { recursive: true, force: true }));
    const { accessKeyId: KEY_ID, secretAccessKey: KEY, endpoint, bucket } = server;
    const env = { KEY_ID, KEY };

    test('is restored with a configuration that reaches the bucket, and refused when an object was changed', async () => {
      const [home, to] = [join(folder, 'home'), join(folder, 'to')];
      mkdirSync(join(home, 'keys'), { recursive: true });
      writeConfiguration(home);
      const place = JSON.stringify({
        endpoint,
        bucket,
        prefix: 'backups/',
        accessKeyId: { env: 'KEY_ID' },
        secretAccessKey: { env: 'KEY' },
      });
      appendFileSync(join(home, 'firebreak.yaml'), `backup: { s3: ${place} }\n`);
      const signer = await openSigner({ file: join(home, 'keys/notary.pem'), create: true });
      const database = await openDatabase({ url: `sqlite:${join(home, 'audit.db')}` });
      const store = createAuditStore(database);
      await store.append(run('incident/lab/shop/Deployment/cart@1', 1, 30));
      await signNow({ store, signer });
      await database.close();
      const configOf = (at: string) => ({
        config: loadConfig({ path: join(at, 'firebreak.yaml'), env }),
        configFile: join(at, 'firebreak.yaml'),
        env,
      });
      const databaseOf = (at: string) => `sqlite:${join(at, 'audit.db')}`;
      const { from } = await makeBackup({ ...configOf(home), to: 's3', databaseUrl: databaseOf(home), signer, evidence: 'none' });
      expect(from).toMatch(/^s3:lab-/);

      mkdirSync(to);
      for (const name of ['firebreak.yaml', 'ana.pem']) cpSync(join(home, name), join(to, name));
      const verifier = createVerifier({ publicKeys: [signer.publicKey] });
      const backup = await checkBackup(await oldPlace({ from, ...configOf(to) }), verifier);
      await restoreConfig(backup, join(to, 'firebreak.yaml'));
      await restoreBackup({ backup, ...configOf(to), databaseUrl: databaseOf(to), force: false });
      const restored = await openDatabase({ url: databaseOf(to) });
      expect((await createAuditStore(restored).storedChain('incident/lab/shop/Deployment/cart@1')).records).toHaveLength(30);
      await restored.close();

      const objects = openBucket({ ...server, prefix: `backups/${from.slice('s3:'.length)}/` });
      const body = new TextEncoder().encode('other rows');
      await objects.put({
        key: 'database/audit_checkpoints/000001.gz',
        body,
        bytes: body.byteLength,
        mediaType: 'application/gzip',
      });
      await expect(checkBackup(backup.place, verifier)).rejects.toMatchObject({
        detail: 'database/audit_checkpoints/000001.gz was changed',
      });
    });
  });
}
