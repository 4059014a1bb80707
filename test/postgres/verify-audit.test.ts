import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createAuditStore } from '../../integrations/database/audit-store.ts';
import { openDatabase } from '../../integrations/database/database.ts';
import { createVerifier, signerFrom } from '../../integrations/keys/ed25519.ts';
import { createNotary } from '../../service/records/notary.ts';
import { verifyAudit } from '../../service/records/verify-audit.ts';
import { startCheckWorkers } from '../../service/records/workers/check-workers.ts';
import { mutations } from '../service/records/tampering.ts';
import { run } from '../suites/audit-store.ts';
import { newPrivateKey } from '../suites/private-key.ts';
import { makersKeys, makersTrust, noSigners } from '../suites/signed-records.ts';
import { findPostgres } from '../suites.mjs';
import { type Databases, startDatabases } from './databases.ts';

const isHere = findPostgres() !== undefined;
const onPostgres = isHere ? describe : describe.skip;
/** The others are tested in threads on SQLite: check-workers.test.ts. */
const inThreads = new Set([
  'touches nothing',
  'removes the whole chain',
  'renames the chain with fitting hashes',
  'removes the head',
]);
const oneAtOnce = { rows: 1, chains: 1, checkpoints: 1 };
const title = 'verifying the audit store on PostgreSQL';

onPostgres(isHere ? title : `${title} (skipped: initdb and postgres are not on this machine)`, () => {
  let databases: Databases | undefined;
  beforeAll(async () => {
    databases = await startDatabases();
  });
  afterAll(async () => {
    await databases?.stop();
  });

  test.each([['touches nothing', undefined], ...Object.entries(mutations)])('when somebody %s', async (name, mutate) => {
    const url = (await databases?.next()) ?? '';
    const database = await openDatabase({ url });
    try {
      const store = createAuditStore(database);
      const signer = signerFrom({ pem: newPrivateKey(), name: 'notary' });
      const verifier = createVerifier({ publicKeys: [signer.publicKey] });
      const fail = (problem: unknown) => {
        throw problem;
      };
      const notary = createNotary({ store, signer, verifier, everyMs: 60_000, onAlarm: fail, onError: fail });
      for (const chain of ['incident/c/Z@1', 'incident/c/a@1', 'incident/c/ä@1']) await store.append(run(chain, 1, 5));
      await notary.sign();
      await store.append(run('incident/c/a@1', 6, 6));
      await notary.stop();
      await mutate?.(database, { chain: 'incident/c/a@1', number: 3, end: 6 });
      const checkedAt = new Date();
      const parts = { store, verifier, trust: makersTrust, signers: noSigners, now: () => checkedAt };
      const report = await verifyAudit(parts);
      // One chain per range: the database sorts names in another order than we do.
      if (inThreads.has(name)) {
        const workers = startCheckWorkers({ url, keys: makersKeys }, oneAtOnce);
        expect(await verifyAudit({ ...parts, workers }).finally(() => workers.close())).toEqual(report);
      }
      expect(report).toMatchObject({ ok: mutate === undefined, checkpoints: 2 });
      expect(report.findings.map(({ chain }) => chain).every((chain) => chain?.startsWith('incident/c/a@1'))).toBe(true);
    } finally {
      await database.close();
    }
  });
});
