/**
 * Cost of the records: append (SQLite, PostgreSQL), verify, an incident, export; for the output of streams see `streams.ts`. `node bench/records/audit.ts`;
 * BENCH_COUNT records.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { recordLink, type SignedRecord, signRecord } from '../../core/audit/audit.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import { verifyBundle } from '../../core/bundle/verify-bundle.ts';
import { canonicalJson } from '../../core/text/digest.ts';
import { createAuditStore } from '../../integrations/database/audit-store.ts';
import { openDatabase } from '../../integrations/database/database.ts';
import type { Database } from '../../integrations/database/queries.ts';
import { createVerifier, signerFrom } from '../../integrations/keys/ed25519.ts';
import { auditReport } from '../../service/commands/records/audit.ts';
import { createNotary } from '../../service/records/notary.ts';
import { startDatabases } from '../../test/postgres/databases.ts';
import { exportSample, writeSample } from '../../test/suites/incident-bundle.ts';
import { newPrivateKey } from '../../test/suites/private-key.ts';
import { deskMaker, maker, makersTrust } from '../../test/suites/signed-records.ts';
import { findPostgres } from '../../test/suites.mjs';
import { loadNow, printGoals, round, writeResult } from '../report.ts';
import { writeDeskConfiguration } from './desk-configuration.ts';

/** From this many records on, `audit verify` uses a thread per core. */
const count = Number(process.env.BENCH_COUNT ?? 100_000);
const perChain = 50;
const perBatch = 10;
const folder = mkdtempSync(join(tmpdir(), 'firebreak-bench-audit-'));
const cell = signerFrom({ pem: maker.pem, name: 'the cell' });
const notaryKey = signerFrom({ pem: newPrivateKey(), name: 'the notary' });
const verifier = createVerifier({ publicKeys: [notaryKey.publicKey] });
const fail = (problem: unknown): void => {
  throw problem;
};

/** Thousands per second, by processor time of this process and by wall time. */
async function rate(records: number, work: () => Promise<unknown>): Promise<{ readonly cpu: number; readonly wall: number }> {
  const cpu = process.cpuUsage();
  const began = performance.now();
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { cpu: Math.round(records / ((user + system) / 1e6)), wall: Math.round(records / ((performance.now() - began) / 1e3)) };
}

/** A step as it is recorded, of a usual size. */
function recordAt(chain: string, number: number) {
  const target = { name: 'pod/shop/cart-7d9c5b6f4-x2x8k', uid: '5a1c7a0e-2f7e-4b52-9a53-0e6a1b6f0c11' };
  const body = {
    text: 'Quarantine the pod: cart-7d9c5b6f4-x2x8k',
    step: `${chain}/quarantinePod/${number}`,
    plan: { target, effect: 'reversible', reach: 'pod', blastRadius: [target.name] },
  };
  return {
    chain,
    number,
    at: new Date(1_772_360_000_000 + number).toISOString(),
    kind: 'step.applied',
    actor: 'playbook/contain',
    body,
  };
}

async function measured(url: string, name: string, batches: Awaited<ReturnType<typeof signedBatches>>) {
  const place = join(folder, name);
  mkdirSync(place);
  const keys = { notaryPublic: notaryKey.publicKey, cell: maker.publicKey, desk: deskMaker.publicKey };
  const config = writeDeskConfiguration({ folder: place, url, keys });
  const database = await openDatabase({ url });
  try {
    const store = createAuditStore(database);
    const notary = createNotary({ store, signer: notaryKey, verifier, everyMs: 60_000, onAlarm: fail, onError: fail });
    const append = await rate(count, () => appendAll(store, batches));
    await notary.stop();
    const heapBefore = process.memoryUsage().rss;
    const verify = await rate(count, async () => mustBeSound(await auditReport({ config, json: true })));
    const megabytes = Math.round((process.memoryUsage().rss - heapBefore) / 1e6);
    const incidents = count / perChain;
    const kilobytes = round((await bytesOf(database)) / 1e3 / incidents);
    return { append, verify, megabytes, ofIncident: { kilobytes, cpuMs: round((1e3 * perChain) / append.cpu) } };
  } finally {
    await database.close();
  }
}

/** Total size of the database, with its indexes. */
async function bytesOf(database: Database): Promise<number> {
  const sizes = {
    sqlite: 'SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()',
    postgres: `SELECT SUM(pg_total_relation_size(oid))::float8 AS bytes FROM pg_class WHERE relkind = 'r' AND relname LIKE 'audit_%'`,
  };
  const [row] = await database.all(sizes[database.kind]);
  return Number(row?.bytes);
}

function mustBeSound({ findings, records }: Awaited<ReturnType<typeof auditReport>>): void {
  if (findings.length > 0 || records !== count) throw new Error(findings[0]?.text ?? `${records} records were checked`);
}

/** Signed as by the cell of an incident, which names in each the one before it. */
async function signedBatches(): Promise<readonly (readonly SignedRecord[])[]> {
  const chains = Array.from({ length: Math.ceil(count / perChain) }, (_, index) => `incident/c/shop/Deployment/w${index}@run-1`);
  const batches: (readonly SignedRecord[])[] = [];
  for (const chain of chains) {
    const records: SignedRecord[] = [];
    for (let number = 1; number <= perChain; number += 1) {
      const before = records.at(-1);
      records.push(await signRecord(recordAt(chain, number), cell, before && recordLink(before)));
    }
    for (let from = 0; from < perChain; from += perBatch) batches.push(records.slice(from, from + perBatch));
  }
  return batches;
}

async function appendAll(store: AuditStore, batches: Awaited<ReturnType<typeof signedBatches>>): Promise<void> {
  for (const batch of batches) await store.append(batch);
}

async function exported() {
  const database = await openDatabase({ url: `sqlite:${join(folder, 'export.db')}` });
  try {
    const store = createAuditStore(database);
    await writeSample(store);
    const times = 50;
    const make = await rate(times, async () => {
      for (let time = 0; time < times; time += 1) await exportSample(store);
    });
    const file = Buffer.from(canonicalJson(await exportSample(store)));
    const check = await rate(times, async () => {
      for (let time = 0; time < times; time += 1) await verifyBundle(file);
    });
    return { 'bundles of 12 records made, per CPU second': make.cpu, 'bundles of 12 records checked, per CPU second': check.cpu };
  } finally {
    await database.close();
  }
}

const wanted = 50_000;
const databases = findPostgres() === undefined ? undefined : await startDatabases();
try {
  const places = { SQLite: `sqlite:${join(folder, 'audit.db')}`, ...(databases && { PostgreSQL: await databases.next() }) };
  const figures: Record<string, number> = {};
  let best = 0;
  const batches = await signedBatches();
  for (const [name, url] of Object.entries(places)) {
    const { append, verify, megabytes, ofIncident } = await measured(url, name, batches);
    figures[`${name}: records appended in batches of ${perBatch}, per second`] = append.wall;
    figures[`${name}: records appended, per CPU second of the desk`] = append.cpu;
    figures[`${name}: records verified, every signature, per CPU second`] = verify.cpu;
    figures[`${name}: records verified, every signature, per second`] = verify.wall;
    figures[`${name}: memory that a whole check adds, MB`] = megabytes;
    figures[`${name}: an incident of ${perChain} records, kB`] = ofIncident.kilobytes;
    figures[`${name}: an incident of ${perChain} records appended, CPU ms of the desk`] = ofIncident.cpuMs;
    best = Math.max(best, verify.wall);
  }
  Object.assign(figures, await exported());
  console.log(figures);
  const goals = [
    {
      what: 'records that `audit verify` proves per second of wall time, from the faster database',
      goal: `at least ${wanted}`,
      measured: `${best}`,
      met: best >= wanted,
    },
  ];
  printGoals(goals);
  const result = {
    name: 'audit',
    what: `Records in chains of ${perChain}, ${count} in all: written in signed batches of ${perBatch}, checked, checked again, and handed out`,
    figures: { ...figures, 'CPU of one Ed25519 check of the platform, µs': round(signatureMicros()) },
    goals,
    limitedBy: [
      loadNow(),
      'A thread for each core reads and checks, and takes a third of a second to start; PostgreSQL works on the same cores. One signature proves a run of records.',
    ],
  };
  writeResult(result);
} finally {
  await databases?.stop();
  rmSync(folder, { recursive: true, force: true });
}

function signatureMicros(): number {
  const bytes = Buffer.alloc(600, 7);
  const times = 2_000;
  const signed = maker.sign(recordAt('incident/c/a@1', 1));
  const cpu = process.cpuUsage();
  for (let time = 0; time < times; time += 1) makersTrust.senderOf({ keyId: signed.keyId, bytes, signature: signed.signature });
  const { user, system } = process.cpuUsage(cpu);
  return (user + system) / times;
}
