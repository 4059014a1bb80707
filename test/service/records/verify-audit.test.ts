import { appendFileSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type AuditReport, describeReport } from '../../../core/audit-report.ts';
import { createFileAnchor } from '../../../integrations/anchor/file-anchor.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { type Database, openDatabase } from '../../../integrations/database/database.ts';
import { createVerifier, type FileSigner, openSigner } from '../../../integrations/keys/ed25519.ts';
import { createNotary } from '../../../service/records/notary.ts';
import { verifyAudit } from '../../../service/records/verify-audit.ts';
import { run } from '../../suites/audit-store.ts';
import { forgeCheckpoints, mutations, rewrite } from './tampering.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-verify-'));
const original = { database: join(folder, 'original.db'), anchor: join(folder, 'original.jsonl') };
const ends = { 'incident/c/shop/Deployment/cart@1': 9, 'incident/c/shop/Deployment/web@1': 4, 'desk/main': 6 } as const;
const chains = Object.keys(ends) as (keyof typeof ends)[];
const uncovered = 'incident/c/shop/Deployment/new@1';
let signer: FileSigner;
let thief: FileSigner;

/** Three chains in four checkpoints; `cart` has two records more than was signed, and one chain is not signed at all. */
beforeAll(async () => {
  signer = await openSigner({ file: join(folder, 'notary.key'), create: true });
  thief = await openSigner({ file: join(folder, 'thief.key'), create: true });
  const database = await openDatabase({ url: `sqlite:${original.database}` });
  const audit = createAuditStore(database);
  const notary = createNotary({
    store: audit,
    signer,
    verifier: createVerifier({ publicKeys: [signer.publicKey] }),
    anchor: createFileAnchor({ file: original.anchor }),
    everyMs: 60_000,
    onAlarm: (finding) => {
      throw new Error(finding.text);
    },
    onError: (error) => {
      throw error;
    },
  });
  for (const share of [0.3, 0.6, 0.8, 1]) {
    for (const chain of chains) await audit.append(run(chain, 1, Math.ceil(ends[chain] * share)));
    await notary.sign();
  }
  await notary.stop();
  await audit.append(run(chains[0] ?? '', 10, 11));
  await audit.append(run(uncovered, 1, 3));
  await database.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let copies = 0;
/** Lets `tamper` loose on a copy of the store and of the anchor, and verifies them. */
async function verifyAfter(tamper: (database: Database, anchorFile: string) => Promise<void>): Promise<AuditReport> {
  copies += 1;
  const file = join(folder, `copy-${copies}.db`);
  const anchorFile = join(folder, `copy-${copies}.jsonl`);
  copyFileSync(original.database, file);
  copyFileSync(original.anchor, anchorFile);
  const database = await openDatabase({ url: `sqlite:${file}` });
  try {
    await tamper(database, anchorFile);
    const verifier = createVerifier({ publicKeys: [signer.publicKey] });
    return await verifyAudit({ store: createAuditStore(database), anchor: createFileAnchor({ file: anchorFile }), verifier });
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

  test.each(Object.entries(mutations))('finds it and names the chain when somebody %s', async (_, mutate) => {
    const places = chains.flatMap((chain) => Array.from({ length: ends[chain] }, (_, index) => ({ chain, number: index + 1 })));
    const property = fc.asyncProperty(fc.constantFrom(...places), async ({ chain, number }) => {
      const end = chain === chains[0] ? ends[chain] + 2 : ends[chain];
      const report = await verifyAfter((database) => mutate(database, { chain, number, end }));
      expect(report.ok).toBe(false);
      expect(report.findings.map((finding) => finding.chain)).toContain(chain);
      expect(describeReport(report)[0]).toMatch(/NOT intact/);
    });
    await fc.assert(property, { numRuns: 12 });
  });

  test('names the numbers among which a rewrite with fitting hashes lies', async () => {
    const place = { chain: 'desk/main', number: 5, end: 6 };
    const report = await verifyAfter((database) =>
      rewrite(database, place, (record) => ({ ...record, body: { step: 'nothing' } })),
    );
    expect(report.findings).toEqual([
      expect.objectContaining({ kind: 'records-rewritten', chain: 'desk/main', number: 5, to: 5, checkpoint: 3 }),
    ]);
  });

  test('names a rewrite of what is not covered yet as not covered, not as intact', async () => {
    const place = { chain: uncovered, number: 2, end: 3 };
    const report = await verifyAfter((database) => rewrite(database, place, (record) => ({ ...record, actor: 'person/else' })));
    expect(report.findings).toEqual([]);
    expect(report.notCovered).toContainEqual({ chain: uncovered, from: 1, to: 3 });
  });

  test('tells each way in which checkpoints can be touched', async () => {
    const kinds = async (tamper: (database: Database, anchorFile: string) => Promise<void>) =>
      (await verifyAfter(tamper)).findings.map(({ kind, checkpoint }) => [kind, checkpoint]);
    const sql = (text: string) => async (database: Database) => void (await database.all(text));
    expect(await kinds(sql('DELETE FROM audit_checkpoints WHERE number = 2'))).toEqual([['checkpoint-missing', 2]]);
    expect(await kinds(sql('DELETE FROM audit_checkpoints'))).toHaveLength(4);
    expect(await kinds(sql(`UPDATE audit_checkpoints SET content = '{}' WHERE number = 3`))).toEqual([['checkpoint-changed', 3]]);
    expect(await kinds((database) => forgeCheckpoints(database, 3, thief))).toEqual([
      ['checkpoint-changed', 3],
      ['checkpoint-changed', 4],
    ]);
    const copied = sql('INSERT INTO audit_checkpoints SELECT 5, content FROM audit_checkpoints WHERE number = 4');
    expect(await kinds(copied)).toEqual([['checkpoint-forged', 5]]);
    const lines = readFileSync(original.anchor, 'utf8').split('\n');
    const anchorOf = (kept: readonly (string | undefined)[]) => async (_: Database, file: string) =>
      writeFileSync(file, kept.join('\n'));
    expect(await kinds(anchorOf([lines[0], lines[2], lines[3]]))).toEqual([['anchor-missing', 2]]);
    expect(await kinds(anchorOf([]))).toEqual([1, 2, 3, 4].map((number) => ['anchor-missing', number]));
    expect(await kinds(anchorOf([lines[0], lines[0], lines[1], lines[3], lines[2]]))).toContainEqual(['anchor-changed', 3]);
    expect(await kinds(anchorOf([...lines.slice(0, 3), lines[3]?.replace('"chains":3', '"chains":2')]))).toEqual([
      ['anchor-changed', 4],
    ]);
  });

  test('finds a rewrite together with forged checkpoints in the database and a torn last line in the anchor', async () => {
    const report = await verifyAfter(async (database, anchorFile) => {
      await rewrite(database, { chain: 'desk/main', number: 1, end: 6 }, (record) => ({ ...record, actor: 'person/else' }));
      await forgeCheckpoints(database, 1, thief);
      appendFileSync(anchorFile, '{"checkpoint":{"num');
    });
    expect(report.findings.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['records-rewritten', 'checkpoint-changed']));
    expect(report.notes).toHaveLength(1);
  });
});
