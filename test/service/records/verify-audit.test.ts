import { copyFileSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { SignedRecord } from '../../../core/audit/audit.ts';
import { type AuditReport, describeReport } from '../../../core/audit/audit-report.ts';
import type { AuditStore } from '../../../core/audit/audit-store.ts';
import type { Trust } from '../../../core/messages/sender.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import type { Database } from '../../../integrations/database/queries.ts';
import { createVerifier, type FileSigner, openSigner } from '../../../integrations/keys/ed25519.ts';
import { createLogFolder } from '../../../integrations/tlog/log-folder.ts';
import { logKeys } from '../../../service/records/log-check.ts';
import { createNotary } from '../../../service/records/notary.ts';
import { createTransparencyLog } from '../../../service/records/transparency-log.ts';
import { type RememberedCheckpoint, verifyAudit } from '../../../service/records/verify-audit.ts';
import { record, run } from '../../suites/audit-store.ts';
import { maker, makersTrust, noSigners } from '../../suites/signed-records.ts';
import { firstBadAt, forgeCheckpoints, mutations, otherActor, rewrite, storedIn, withRecord } from './tampering.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-verify-'));
const original = { database: join(folder, 'original.db'), log: join(folder, 'original.log') };
const ends = { 'incident/c/shop/Deployment/cart@1': 9, 'incident/c/shop/Deployment/web@1': 4, 'desk/main': 6 } as const;
const chains = Object.keys(ends) as (keyof typeof ends)[];
const uncovered = 'incident/c/shop/Deployment/new@1';
let signer: FileSigner;
let thief: FileSigner;

/** Three chains in four checkpoints; `cart` has two more records than were signed, and one chain is not signed at all. */
let signedAt = 0;
const fail = (problem: unknown): never => {
  throw problem;
};
beforeAll(async () => {
  signer = await openSigner({ file: join(folder, 'notary.key'), create: true });
  thief = await openSigner({ file: join(folder, 'thief.key'), create: true });
  const database = await openDatabase({ url: `sqlite:${original.database}` });
  const audit = createAuditStore(database);
  const notary = createNotary({
    store: audit,
    signer,
    verifier: createVerifier({ publicKeys: [signer.publicKey] }),
    everyMs: 60_000,
    onAlarm: fail,
    onError: fail,
  });
  for (const share of [0.3, 0.6, 0.8, 1]) {
    for (const chain of chains) await audit.append(run(chain, 1, Math.ceil(ends[chain] * share)));
    await notary.sign();
  }
  await notary.stop();
  const { keys, verifier: noteVerifier } = logKeys({ name: 'lab', witnesses: [], publicKeys: [signer.publicKey] });
  await createTransparencyLog({
    ...{ store: audit, signer, verifier: noteVerifier, noteVerifier, key: keys[0], witnesses: [] },
    files: createLogFolder({ folder: original.log }),
    onAlarm: fail,
    onError: fail,
  }).publish();
  signedAt = Date.now();
  await audit.append(run(chains[0] ?? '', 10, 11));
  await audit.append(run(uncovered, 1, 3));
  await database.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let copies = 0;
/** Runs `tamper` on a copy of the store and of its log, and verifies them. */
async function verifyAfter(
  tamper: (database: Database, logFolder: string) => Promise<void>,
  options: Partial<Parameters<typeof verifyAudit>[0]> = {},
  showing: (store: AuditStore) => AuditStore = (store) => store,
): Promise<AuditReport> {
  copies += 1;
  const file = join(folder, `copy-${copies}.db`);
  const logFolder = join(folder, `copy-${copies}.log`);
  copyFileSync(original.database, file);
  cpSync(original.log, logFolder, { recursive: true });
  const database = await openDatabase({ url: `sqlite:${file}` });
  try {
    await tamper(database, logFolder);
    const verifier = createVerifier({ publicKeys: [signer.publicKey] });
    return await verifyAudit({
      store: showing(createAuditStore(database)),
      log: {
        files: createLogFolder({ folder: logFolder }),
        ...logKeys({ name: 'lab', witnesses: [], publicKeys: [signer.publicKey] }),
      },
      verifier,
      trust: makersTrust,
      signers: noSigners,
      ...options,
    });
  } finally {
    await database.close();
    rmSync(file);
  }
}

describe('verifying the audit store', () => {
  test('finds nothing in an untouched one, and names what no checkpoint covers yet', async () => {
    const report = await verifyAfter(async () => {});
    expect(report).toMatchObject({ ok: true, findings: [], notes: [], chains: 4, records: 24, checkpoints: 4 });
    expect(report.notCovered).toEqual([
      { chain: chains[0], from: 10, to: 11 },
      { chain: uncovered, from: 1, to: 3 },
    ]);
    const lines = describeReport(report);
    expect(lines[0]).toBe('The audit store is intact.');
    expect(lines).toContain(`  ${chains[0]} records 10 to 11`);
  });

  test.each(Object.entries(mutations))('finds it and names the chain when somebody %s', async (name, mutate) => {
    const places = chains.flatMap((chain) => Array.from({ length: ends[chain] }, (_, index) => ({ chain, number: index + 1 })));
    const property = fc.asyncProperty(fc.constantFrom(...places), async ({ chain, number }) => {
      const end = chain === chains[0] ? ends[chain] + 2 : ends[chain];
      const report = await verifyAfter((database) => mutate(database, { chain, number, end }));
      expect(report.ok).toBe(false);
      const found = report.findings.filter((finding) => finding.chain === chain);
      expect(found).not.toEqual([]);
      // A rewrite of records that checkpoints vouch for is reported with the number from which it may begin.
      const numbers = found.flatMap(({ kind, number: at }) => (kind === 'records-rewritten' ? [] : (at ?? [])));
      const first = firstBadAt[name];
      if (first) expect(Math.min(...numbers)).toBe(first({ chain, number, end }));
      expect(describeReport(report)[0]).toMatch(/NOT intact/);
    });
    await fc.assert(property, { numRuns: 12 });
  });

  test('finds any mixture of two records that replaces one of them, with matching hashes', async () => {
    const places = [...chains, uncovered].flatMap((chain) => [1, 2, 3].map((number) => ({ chain, number, end: 3 })));
    const fields = ['number', 'at', 'kind', 'actor', 'body', 'keyId', 'follows', 'salt', 'signature'] as const;
    const ofRecord = ['number', 'at', 'kind', 'actor', 'body'] as const;
    const property = fc.asyncProperty(
      fc.constantFrom(...places),
      fc.constantFrom(...places),
      fc.subarray([...fields], { minLength: 1 }),
      async (place, from, taken) => {
        let isFound = false;
        const report = await verifyAfter(async (database) => {
          const other = (await storedIn(database, from.chain))[from.number - 1];
          if (!other) throw new Error('no such record');
          await rewrite(database, place, (signed) => {
            if (signed.record.number !== place.number) return signed;
            const has = (field: (typeof fields)[number]): boolean => taken.includes(field);
            const record = Object.fromEntries(
              Object.entries(signed.record).map(([name, value]) => {
                const field = ofRecord.find((one) => one === name && has(one));
                return [name, field ? other.record[field] : value];
              }),
            );
            const mixed = {
              record: { ...signed.record, ...record },
              keyId: has('keyId') ? other.keyId : signed.keyId,
              salt: has('salt') ? other.salt : signed.salt,
              follows: has('follows') ? other.follows : signed.follows,
              signature: has('signature') ? other.signature : signed.signature,
            };
            // Also an earlier record repeated in place of the last one, in a chain whose length nobody has signed.
            isFound = !isDeepStrictEqual(mixed, { ...signed, record: { ...signed.record } });
            return mixed;
          });
        });
        expect(report.findings.some(({ chain }) => chain === place.chain)).toBe(isFound);
      },
    );
    const open = (number: number) => ({ chain: uncovered, number, end: 3 });
    await fc.assert(property, { numRuns: 40, examples: [[open(3), open(2), ['number', 'at', 'signature']]] });
  });

  /** Relative to the newest checkpoint, however long other tests have taken since. */
  const minutes = (count: number) => () => new Date(signedAt + count * 60_000);

  test('finds that database and log were rolled back together, by the age of the newest checkpoint', async () => {
    const report = await verifyAfter(async () => {}, { now: minutes(21) });
    expect(report.findings).toEqual([
      expect.objectContaining({ kind: 'checkpoint-stale', checkpoint: 4, text: expect.stringContaining('were rolled back') }),
    ]);
    expect(await verifyAfter(async () => {}, { now: minutes(19) })).toMatchObject({ ok: true });
    expect((await verifyAfter(async () => {}, { now: minutes(-30) })).findings).toEqual([
      expect.objectContaining({ kind: 'checkpoint-stale', text: expect.stringContaining('dated in the future') }),
    ]);
    const gone = await verifyAfter(async (database, logFolder) => {
      await database.all('DELETE FROM audit_checkpoints');
      rmSync(logFolder, { recursive: true });
    });
    expect(gone.findings).toEqual([
      { kind: 'checkpoint-stale', text: 'there is no checkpoint: the notary has not signed, or all were removed' },
    ]);
  });

  test('accepts that the newest checkpoint is old for a copy from a given time, or for a reason that the report states', async () => {
    const later = { now: minutes(600) };
    const asOf = new Date();
    expect(await verifyAfter(async () => {}, { ...later, expected: { asOf } })).toMatchObject({ ok: true, notes: [] });
    const asOfLater = new Date(asOf.getTime() + 3_600_000);
    expect(await verifyAfter(async () => {}, { ...later, expected: { asOf: asOfLater } })).toMatchObject({ ok: false });
    const report = await verifyAfter(async () => {}, { ...later, expected: { allowStale: 'moved to another machine' } });
    expect(report).toMatchObject({
      ok: true,
      notes: [expect.stringMatching(/^the newest checkpoint is from .*; allowed: moved to/)],
    });
  });

  test('finds that everything went back behind a checkpoint that was seen before, however fresh it is', async () => {
    const { lastCheckpoint } = await verifyAfter(async () => {});
    if (!lastCheckpoint) throw new Error('no checkpoint');
    const { number, digest } = lastCheckpoint;
    const seen = (remembered: RememberedCheckpoint) => verifyAfter(async () => {}, { expected: { remembered } });
    expect(await seen({ number, digest })).toMatchObject({ ok: true });
    expect(await seen({ number: 2 })).toMatchObject({ ok: true });
    expect((await seen({ number: 5 })).findings).toEqual([
      { kind: 'checkpoint-stale', checkpoint: 5, text: 'the newest checkpoint is 4, but 5 was seen before' },
    ]);
    expect((await seen({ number: 3, digest })).findings).toEqual([
      { kind: 'checkpoint-inconsistent', checkpoint: 3, text: 'checkpoint 3 is not the one that was seen before' },
    ]);
  });

  test('checks one signature for each run of records that name one another', async () => {
    let asked = 0;
    const counting: Trust = {
      senderOf: (signed) => {
        asked += 1;
        return makersTrust.senderOf(signed);
      },
    };
    expect(await verifyAfter(async () => {}, { trust: counting })).toMatchObject({ ok: true, records: 24 });
    // After every fourth record their maker has forgotten what it signed before: of 11, 6, 4 and 3 records.
    expect(asked).toBe(3 + 2 + 1 + 1);
  });

  describe('in a chain that is longer than what it holds in memory at once', () => {
    const chain = 'incident/c/shop/Deployment/long@1';
    const end = 4_100;
    let written: Database;
    beforeAll(async () => {
      written = await openDatabase({ url: `sqlite:${join(folder, 'long.db')}` });
      const made: SignedRecord[] = [];
      for (let number = 1; number <= end; number += 1) {
        const before = made.at(-1);
        made.push(before ? maker.signAfter(record(chain, number), before) : maker.sign(record(chain, number)));
      }
      await createAuditStore(written).append(made);
    });
    afterAll(() => written.close());

    const found = async (tamper: string): Promise<readonly (readonly [string, number | undefined])[]> => {
      await written.all('BEGIN');
      try {
        await written.all(tamper, [chain]);
        const verifier = createVerifier({ publicKeys: [signer.publicKey] });
        const audit = createAuditStore({ ...written, snapshot: (work) => work(written) });
        const report = await verifyAudit({ store: audit, verifier, trust: makersTrust, signers: noSigners });
        expect(report.records).toBeGreaterThan(4_000);
        return report.findings.flatMap(({ kind, number }) => (kind === 'checkpoint-stale' ? [] : ([[kind, number]] as const)));
      } finally {
        await written.all('ROLLBACK');
      }
    };

    test('it names the record that was changed, wherever it is', async () => {
      expect(await found('UPDATE audit_heads SET number = number WHERE chain = $1')).toEqual([]);
      for (const place of [1, 1_999, 2_000, 2_001, 4_000, 4_001, end]) {
        const changed = `UPDATE audit_records SET actor = 'person/else' WHERE chain = $1 AND place = ${place}`;
        expect(await found(changed)).toEqual([
          ['record-changed', place],
          ['record-forged', place],
        ]);
      }
    });

    test('it names what is missing, and what is there twice', async () => {
      expect(await found('DELETE FROM audit_records WHERE chain = $1 AND place BETWEEN 1990 AND 2010')).toEqual([
        ['record-missing', 1_990],
      ]);
      const columns = 'at, kind, actor, body, key_id, follows, salt, signature, previous, hash';
      const again = `INSERT INTO audit_records (chain, place, number, ${columns})
        SELECT chain, ${end + 1}, number, ${columns} FROM audit_records WHERE chain = $1 AND place = 7`;
      const kinds = (await found(again)).map(([kind, number]) => `${kind} ${number}`);
      expect(kinds).toContain(`record-doubled ${end + 1}`);
    });
  });

  test('names the range of numbers in which a rewrite with matching hashes lies', async () => {
    const place = { chain: 'desk/main', number: 5, end: 6 };
    const report = await verifyAfter((database) =>
      rewrite(database, place, (signed) => withRecord(signed, { body: { step: 'nothing' } })),
    );
    expect(report.findings).toEqual([
      expect.objectContaining({ kind: 'records-rewritten', chain: 'desk/main', number: 5, to: 5, checkpoint: 3 }),
      expect.objectContaining({ kind: 'record-forged', chain: 'desk/main', number: 5 }),
      expect.objectContaining({ kind: 'record-forged', chain: 'desk/main', number: 6 }),
    ]);
  });

  test('names that range even for an incident of which only a digest was kept until then', async () => {
    const chain = 'incident/c/shop/Deployment/cart@1';
    const report = await verifyAfter((database) =>
      rewrite(database, { chain, number: 4, end: 11 }, (signed) => withRecord(signed, { body: { step: 'nothing' } })),
    );
    const [first] = report.findings;
    expect(first).toMatchObject({ kind: 'records-rewritten', chain, number: 4, checkpoint: 2 });
    expect(first?.text).toMatch(/the hash at \d+ is not the one in checkpoint 2$/);
  });

  test('finds that a chain was rewritten while a later checkpoint vouches for the result', async () => {
    const chain = 'incident/c/shop/Deployment/cart@1';
    const report = await verifyAfter(async (database) => {
      await rewrite(database, { chain, number: 2, end: 11 }, ({ record: one }) => maker.sign({ ...one, actor: 'person/else' }));
      const store = createAuditStore(database);
      const verifier = createVerifier({ publicKeys: [signer.publicKey] });
      const ignore = () => {};
      await createNotary({ store, signer, verifier, everyMs: 60_000, onAlarm: ignore, onError: ignore }).stop();
    });
    expect(report.checkpoints).toBe(5);
    expect(report.findings).toMatchObject([{ kind: 'records-rewritten', chain, number: 1, checkpoint: 1 }]);
  });

  test('says so if checkpoints are gone when they are read again', async () => {
    const chain = 'incident/c/shop/Deployment/cart@1';
    let readings = 0;
    const { findings } = await verifyAfter(
      async (database) => {
        await rewrite(database, { chain, number: 4, end: 11 }, otherActor(4));
      },
      {},
      (store) => ({
        ...store,
        checkpoints: async (asked) => {
          if (asked.after < 0) readings += 1;
          return readings === 1 ? store.checkpoints(asked) : [];
        },
      }),
    );
    expect(readings).toBe(2);
    expect(findings).toContainEqual(expect.objectContaining({ kind: 'checkpoint-inconsistent', chain }));
    expect(findings).toContainEqual(expect.objectContaining({ kind: 'records-rewritten', chain, number: 1 }));
  });

  test('finds a rewrite of what no checkpoint covers yet by the signatures', async () => {
    const place = { chain: uncovered, number: 2, end: 3 };
    const report = await verifyAfter((database) => rewrite(database, place, otherActor(2)));
    expect(report.findings).toEqual([
      {
        kind: 'record-forged',
        chain: uncovered,
        number: 2,
        text: `${uncovered} record 2 has no valid signature of a known cell or desk (key ${maker.sign(record(uncovered, 1)).keyId})`,
      },
    ]);
    expect(report.notCovered).toContainEqual({ chain: uncovered, from: 1, to: 3 });
  });

  test('tells apart each way of tampering with checkpoints', async () => {
    const kinds = async (tamper: (database: Database, logFolder: string) => Promise<void>) =>
      (await verifyAfter(tamper)).findings.map(({ kind, checkpoint }) => [kind, checkpoint]);
    const sql = (text: string) => async (database: Database) => void (await database.all(text));
    const forked = ['log-forked', undefined];
    expect(await kinds(sql('DELETE FROM audit_checkpoints WHERE number = 2'))).toEqual([['checkpoint-missing', 2], forked]);
    // The newest ones, as by a restored backup: only the log shows it.
    expect(await kinds(sql('DELETE FROM audit_checkpoints WHERE number = 4'))).toEqual([forked]);
    expect(await kinds(sql('DELETE FROM audit_checkpoints'))).toEqual([['checkpoint-stale', undefined], forked]);
    const changed = sql(`UPDATE audit_checkpoints SET content = '{}' WHERE number = 3`);
    // What row 3 named is not known any more, and the later ones vouch for it.
    expect(await kinds(changed)).toEqual([
      ['checkpoint-forged', 3],
      ['checkpoint-missing', 3],
      ['checkpoint-inconsistent', 4],
      forked,
    ]);
    expect(await kinds((database) => forgeCheckpoints(database, 3, thief))).toEqual([
      ['checkpoint-forged', 3],
      ['checkpoint-forged', 4],
      forked,
    ]);
    const copied = sql('INSERT INTO audit_checkpoints SELECT 5, content FROM audit_checkpoints WHERE number = 4');
    expect(await kinds(copied)).toEqual([['checkpoint-forged', 5]]);
  });

  test('finds that a whole chain was removed together with every checkpoint that named it', async () => {
    const report = await verifyAfter(async (database) => {
      await database.all('DELETE FROM audit_records WHERE chain = $1', [chains[1] ?? '']);
      await database.all('DELETE FROM audit_heads WHERE chain = $1', [chains[1] ?? '']);
      await database.all('DELETE FROM audit_checkpoints');
    });
    expect(report.findings.map(({ kind }) => kind)).toContain('log-forked');
  });

  test('finds a fork that the notary’s own key has signed, for whoever has the log as it was', async () => {
    const report = await verifyAfter(async (database) => {
      await database.all('DELETE FROM audit_checkpoints WHERE number > 2');
      const store = createAuditStore(database);
      const verifier = createVerifier({ publicKeys: [signer.publicKey] });
      const ignore = () => {};
      // Without its log: as whoever has its key can.
      const notary = createNotary({ store, signer, verifier, everyMs: 60_000, onAlarm: ignore, onError: ignore });
      for (const number of [1, 2]) {
        await store.append(run('incident/c/shop/Deployment/lie@1', number, number));
        await notary.sign();
      }
      await notary.stop();
    });
    expect(report.checkpoints).toBe(4);
    expect(report.findings).toEqual([{ kind: 'log-forked', text: expect.stringContaining('does not match its 4 checkpoints') }]);
  });

  test('finds a rewrite together with forged checkpoints', async () => {
    const report = await verifyAfter(async (database) => {
      await rewrite(database, { chain: 'desk/main', number: 1, end: 6 }, (signed) =>
        withRecord(signed, { actor: 'person/else' }),
      );
      await forgeCheckpoints(database, 1, thief);
    });
    expect(report.findings.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['record-forged', 'checkpoint-forged', 'log-forked']),
    );
  });
});
