import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { AuditReport } from '../../../core/audit/audit-report.ts';
import { checkpointText, parseCheckpoint } from '../../../core/audit/checkpoint.ts';
import type { SignedBytes } from '../../../core/messages/signing.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import type { Database } from '../../../integrations/database/queries.ts';
import { createVerifier, signerFrom } from '../../../integrations/keys/ed25519.ts';
import { createNotary } from '../../../service/records/notary.ts';
import { verifyAudit } from '../../../service/records/verify-audit.ts';
import { type CheckWorkers, startCheckWorkers } from '../../../service/records/workers/check-workers.ts';
import { run } from '../../suites/audit-store.ts';
import { newPrivateKey } from '../../suites/private-key.ts';
import { makersKeys, makersTrust, newMaker, noSigners } from '../../suites/signed-records.ts';
import { mutations } from './tampering.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-check-workers-'));
const url = `sqlite:${join(folder, 'audit.db')}`;
const signer = signerFrom({ pem: newPrivateKey(), name: 'the notary' });
const verifier = createVerifier({ publicKeys: [signer.publicKey] });
const parts = { url, keys: makersKeys };
/** Several ranges of a few chains each. */
const small = { rows: 20, chains: 4, checkpoints: 7 };
const chains = Array.from({ length: 12 }, (_, nth) => `incident/c/shop/Deployment/w${nth}@1`);
const odd = 'incident/c/shop/Deployment/w5@1';
let database: Database;
let checkedAt: Date;
let workers: CheckWorkers;

/** Twelve chains, each moved by several checkpoints. */
beforeAll(async () => {
  database = await openDatabase({ url });
  const store = createAuditStore(database);
  const fail = (problem: unknown): void => {
    throw problem;
  };
  const notary = createNotary({ store, signer, verifier, everyMs: 60_000, onAlarm: fail, onError: fail });
  for (let number = 1; number <= 6; number += 1)
    for (const chain of chains) {
      await store.append(run(chain, number, number));
      await notary.sign();
    }
  await notary.stop();
  checkedAt = new Date();
  workers = startCheckWorkers(parts, small);
});
afterAll(async () => {
  await workers.close();
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Several threads must find exactly what one thread finds. */
async function sameReport(threads = workers): Promise<AuditReport> {
  const asked = { ...askedOf(), now: () => checkedAt };
  const report = await verifyAudit(asked);
  expect(await verifyAudit({ ...asked, workers: threads })).toEqual(report);
  return report;
}

function askedOf() {
  return { store: createAuditStore(database), verifier, trust: makersTrust, signers: noSigners };
}

describe('checking records in several threads', () => {
  test('finds nothing wrong in sound records, and counts all of them', async () => {
    expect(await sameReport()).toMatchObject({ ok: true, findings: [], chains: 12, records: 72, checkpoints: 72 });
  });

  test('checks one signature of the notary where each checkpoint names the one before it', async () => {
    let checks = 0;
    const verify = (signed: SignedBytes): boolean => {
      checks += 1;
      return verifier.verify(signed);
    };
    const report = await verifyAudit({
      ...askedOf(),
      verifier: { ...verifier, verify },
      workers,
      now: () => checkedAt,
    });
    expect(report).toMatchObject({ ok: true, checkpoints: 72 });
    expect(checks).toBe(1);
  });

  test('has the threads read the checkpoints, too', async () => {
    const asked = askedOf();
    const checkpoints = (): never => {
      throw new Error('this thread was to read none');
    };
    const report = await verifyAudit({ ...asked, store: { ...asked.store, checkpoints }, workers, now: () => checkedAt });
    expect(report).toMatchObject({ ok: true, checkpoints: 72 });
  });

  test('continues after checkpoints that are gone by the time a thread reaches them', async () => {
    const asked = askedOf();
    const { checkpointShares } = asked.store;
    await restoredAfter(async () => {
      const store: typeof asked.store = {
        ...asked.store,
        checkpointShares: async (options) => {
          const ends = await checkpointShares(options);
          await database.all('DELETE FROM audit_checkpoints WHERE number > 14 AND number <= 21');
          return ends;
        },
      };
      const { findings } = await verifyAudit({ ...asked, store, workers, now: () => checkedAt });
      expect(findings.map(({ kind, checkpoint }) => [kind, checkpoint])).toEqual([['checkpoint-missing', 15]]);
    });
  });

  test.each(Object.entries(mutations))('says the same as one thread when somebody %s', async (_, mutate) => {
    await restoredAfter(async () => {
      await mutate(database, { chain: odd, number: 3, end: 6 });
      const { ok, findings } = await sameReport();
      expect(ok).toBe(false);
      expect(findings.some(({ chain }) => chain?.startsWith(odd))).toBe(true);
    });
  });

  test('names the one checkpoint whose signature is invalid', async () => {
    await restoredAfter(async () => {
      const [row] = await createAuditStore(database).checkpoints({ after: 40, upTo: 41 });
      const signed = parseCheckpoint(row?.text ?? '');
      if (!signed) throw new Error('there is no such checkpoint');
      const { signature } = signed;
      const forged = checkpointText({ ...signed, signature: `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}` });
      await database.all('UPDATE audit_checkpoints SET content = $2 WHERE number = $1', [41, forged]);
      const { findings } = await sameReport();
      expect(findings.map(({ kind, checkpoint }) => [kind, checkpoint])).toEqual([
        ['checkpoint-forged', 41],
        ['checkpoint-missing', 41],
      ]);
    });
  });

  test('finds rows of a chain that neither a head nor a checkpoint names', async () => {
    await restoredAfter(async () => {
      const unknown = 'incident/c/shop/Deployment/unknown@1';
      await createAuditStore(database).append(run(unknown, 1, 2));
      await database.all('DELETE FROM audit_heads WHERE chain = $1', [unknown]);
      const { findings, chains: count } = await sameReport();
      expect(count).toBe(13);
      expect(findings).toMatchObject([{ kind: 'head-changed', chain: unknown }]);
    });
  });

  test('checks each doubt once more: a thread without a cell’s key cannot make its records false', async () => {
    const cells = [{ cluster: 'c', key: newMaker().publicKey }];
    const unknowing = startCheckWorkers({ ...parts, keys: { ...makersKeys, cells } }, small);
    try {
      expect(await sameReport(unknowing)).toMatchObject({ ok: true, records: 72 });
    } finally {
      await unknowing.close();
    }
  });

  test('fails if the database cannot be read, and leaves no thread behind', async () => {
    const lost = startCheckWorkers({ ...parts, url: 'sqlite:/nowhere/audit.db' });
    await expect(verifyAudit({ ...askedOf(), workers: lost })).rejects.toThrow('a thread that checks records');
    await lost.close();
  });
});

/** Lets `work` change the database, then restores it. */
async function restoredAfter(work: () => Promise<void>): Promise<void> {
  const tables = ['audit_records', 'audit_heads', 'audit_checkpoints'];
  for (const table of tables) await database.all(`CREATE TABLE saved_${table} AS SELECT * FROM ${table}`);
  try {
    await work();
  } finally {
    for (const table of tables) {
      await database.all(`DELETE FROM ${table}`);
      await database.all(`INSERT INTO ${table} SELECT * FROM saved_${table}`);
      await database.all(`DROP TABLE saved_${table}`);
    }
  }
}
