/**
 * Cost of very many records in PostgreSQL: a check of all, the report of a quarter, the console, and the notary. `node bench/records/many-records.ts`;
 * BENCH_COUNT incidents of 100 records, over a year, with a checkpoint for each minute in which something moved. A hundred thousand incidents need some 25 GB
 * of disk while it runs. Writing them takes a quarter of an hour: with BENCH_KEEP=FOLDER they are kept there, and not written again the next time.
 */
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { incidentKeyOf } from '../../core/console/incident-summary.ts';
import { createAuditStore } from '../../integrations/database/audit-store.ts';
import { openDatabase } from '../../integrations/database/database.ts';
import { createIncidentList } from '../../integrations/database/incident-list.ts';
import { signerFrom } from '../../integrations/keys/ed25519.ts';
import { readChain } from '../../service/desk/console/incident-view.ts';
import { auditNodeFlags, serviceEnvironment, serviceNodeFlags } from '../../service/launcher/node-flags.mjs';
import { projectRoot } from '../../service/process/project-root.ts';
import { trustInKeys } from '../../service/records/audit-trust.ts';
import { startDatabases } from '../../test/postgres/databases.ts';
import { newPrivateKey } from '../../test/suites/private-key.ts';
import { newMaker } from '../../test/suites/signed-records.ts';
import { peakMb, processStat, ticksPerSecond } from '../parts/process-stat.ts';
import { distribution, loadNow, printGoals, round, writeResult } from '../report.ts';
import { writeDeskConfiguration } from './desk-configuration.ts';
import type { NotaryPlace, NotarySpent } from './notary-main.ts';
import { writeCheckpoints } from './write-checkpoints.ts';
import { writeManyRecords } from './write-records.ts';

const incidents = Number(process.env.BENCH_COUNT ?? 100_000);
const perIncident = 100;
const shares = 2;
const count = incidents * perIncident;
const about = `${count} records of ${incidents} incidents over a year in PostgreSQL, each signed`;
/** Chains in which each round of the notary finds one more record. */
const movedChains = 6;
// In the past: no checkpoint may lie in the future.
const [since, until] = [Date.UTC(2025, 0, 1), Date.UTC(2026, 0, 1)];
const quarter = '2025-Q2';
const kept = process.env.BENCH_KEEP;
const folder = kept ?? mkdtempSync(join(tmpdir(), 'firebreak-bench-many-'));
mkdirSync(folder, { recursive: true });
const pem = privateKeyOf('notary');
const key = signerFrom({ pem, name: 'the notary' });
const [maker, deskMaker] = [newMaker(privateKeyOf('cell')), newMaker(privateKeyOf('desk'))];
const { trust } = trustInKeys({
  cells: [{ cluster: 'c', key: maker.publicKey }],
  desks: [deskMaker.publicKey],
  people: new Map(),
});

/** Stays the same for as long as the folder exists. */
function privateKeyOf(name: string): string {
  const file = join(folder, `${name}-key.pem`);
  if (!existsSync(file)) writeFileSync(file, newPrivateKey(), { mode: 0o600 });
  return readFileSync(file, 'utf8');
}

/** Contents of the kept folder. */
interface Written {
  readonly incidents: number;
  readonly cpuSeconds: number;
  readonly checkpoints: { readonly count: number; readonly heads: number; readonly at: string };
  /** Records that rounds of the notary have added to each of six chains. */
  readonly added: number;
}

const writtenFile = join(folder, 'written.json');

function readWritten(): Written | undefined {
  if (!existsSync(writtenFile)) return undefined;
  const written: Written = JSON.parse(readFileSync(writtenFile, 'utf8'));
  if (written.incidents !== incidents)
    throw new Error(`${folder} has ${written.incidents} incidents: set BENCH_COUNT to that, or use another folder`);
  return written;
}

async function writeAll(url: string): Promise<Written> {
  await (await openDatabase({ url })).close();
  const many = { url, pem: maker.pem, incidents, perIncident, since, until, movesIn: folder };
  const { seconds, cpuSeconds } = await spentOn(() => writeManyRecords(many, shares));
  console.log(`${count} records written in ${seconds} s, ${cpuSeconds} s of CPU`);
  const checkpoints = await spentOn(() => writeCheckpoints({ url, movesIn: folder, shares, signer: key }));
  const { at, ...signed } = checkpoints.result;
  console.log(`${signed.count} checkpoints of ${signed.heads} heads written in ${checkpoints.cpuSeconds} s of CPU`);
  const database = await openDatabase({ url });
  await database.all('ANALYZE');
  await database.close();
  const written: Written = { incidents, cpuSeconds, checkpoints: { ...signed, at: at.toISOString() }, added: 0 };
  writeFileSync(writtenFile, JSON.stringify(written));
  return written;
}

interface Spent {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Peak memory of the process while this ran. */
  readonly megabytes: number;
}

async function spentOn<Result>(work: () => Promise<Result>): Promise<Spent & { readonly result: Result }> {
  globalThis.gc?.();
  let most = 0;
  const look = (): void => {
    most = Math.max(most, process.memoryUsage.rss());
  };
  const timer = setInterval(look, 100);
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  const result = await work();
  look();
  clearInterval(timer);
  const { user, system } = process.cpuUsage(cpu);
  return {
    result,
    seconds: round((performance.now() - began) / 1_000),
    cpuSeconds: round((user + system) / 1e6),
    megabytes: Math.round(most / 1e6),
  };
}

/** Runs a command in its own process, as users do: here the generator's garbage would count as its memory. */
async function command(args: readonly string[]): Promise<Spent & { readonly said: Readonly<Record<string, unknown>> }> {
  const childTicks = (): number => processStat(process.pid)?.childrenTicks ?? 0;
  const [began, ticks] = [performance.now(), childTicks()];
  // As the launcher starts it.
  const isAudit = args[0] === 'audit';
  const child = spawn(process.execPath, [...(isAudit ? auditNodeFlags : []), join(projectRoot(), 'service/cli.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...(isAudit ? serviceEnvironment : {}), ...process.env },
  });
  const { pid } = child;
  if (pid === undefined) throw new Error('it did not start');
  let megabytes = 0;
  const timer = setInterval(() => {
    megabytes = peakMb(pid) ?? megabytes;
  }, 50);
  const parts: Buffer[] = [];
  child.stdout.on('data', (part: Buffer) => parts.push(part));
  await once(child, 'close');
  clearInterval(timer);
  const seconds = round((performance.now() - began) / 1_000);
  return {
    seconds,
    cpuSeconds: round((childTicks() - ticks) / ticksPerSecond),
    megabytes,
    said: JSON.parse(Buffer.concat(parts).toString()),
  };
}

/** A notary in its own process, with the cost of each of its rounds, and its peak memory. */
function startNotary(place: NotaryPlace) {
  const child = fork(join(import.meta.dirname, 'notary-main.ts'), [JSON.stringify(place)], {
    execArgv: [...serviceNodeFlags],
    env: { ...serviceEnvironment, ...process.env },
  });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the notary exited with ${code}`);
  });
  ended.catch(() => undefined);
  return {
    sign: async (): Promise<NotarySpent & { readonly megabytes: number }> => {
      const answer = once(child, 'message');
      child.send('sign');
      const [spent]: NotarySpent[] = await Promise.race([answer, ended]);
      if (!spent) throw new Error('the notary says nothing');
      return { ...spent, megabytes: peakMb(child.pid ?? 0) ?? 0 };
    },
    stop: async () => {
      child.disconnect();
      await ended.catch(() => undefined);
    },
  };
}

/** One more record of an incident. */
function grown(chain: string, nth: number) {
  const record = { chain, number: perIncident + nth, at: new Date(until).toISOString(), actor: 'engine' };
  return maker.sign({ ...record, kind: 'lease.renewed', body: { text: 'renewed' } });
}

/** Milliseconds of each run. */
async function timesOf(times: number, work: (nth: number) => Promise<unknown>): Promise<readonly number[]> {
  const taken: number[] = [];
  for (let nth = 0; nth < times; nth += 1) {
    const began = performance.now();
    await work(nth);
    taken.push(performance.now() - began);
  }
  return taken;
}

const databases = await startDatabases(kept && join(kept, 'postgres'));
try {
  const url = await databases.next();
  const written = readWritten() ?? (await writeAll(url));
  const { at: signedAt, ...signed } = written.checkpoints;
  const database = await openDatabase({ url });
  const store = createAuditStore(database);
  const keys = { notary: pem, notaryPublic: key.publicKey, cell: maker.publicKey, desk: deskMaker.publicKey };
  const config = writeDeskConfiguration({ folder, url, keys });
  const verify = await command(['audit', 'verify', '--config', config, '--as-of', signedAt, '--json']);
  const { ok, records, findings } = verify.said;
  if (ok !== true || records !== count + movedChains * written.added) throw new Error(JSON.stringify(findings).slice(0, 2_000));
  console.log('audit verify', { ...verify, said: undefined });
  const report = await command([
    'report',
    'compliance',
    '--period',
    quarter,
    '--framework',
    'nist-csf',
    '--config',
    config,
    '--json',
  ]);
  console.log('report of a quarter', { ...report, said: report.said.records });

  const perSecond = Math.round(count / verify.seconds);
  const checks = [
    {
      what: 'records verified per second, every one proven',
      goal: 'at least 50000 on two cores',
      measured: `${perSecond} of wall time, ${Math.round(count / verify.cpuSeconds)} per CPU second`,
      met: perSecond >= 50_000,
    },
    {
      what: 'memory of audit verify',
      goal: 'the same for any number',
      measured: `${verify.megabytes} MB`,
      met: verify.megabytes < 500,
    },
    {
      what: 'report of a quarter',
      goal: 'under 60 s and 500 MB',
      measured: `${report.seconds} s, ${report.megabytes} MB`,
      met: report.seconds < 60 && report.megabytes < 500,
    },
  ];
  printGoals(checks);
  writeResult({
    name: 'many-records',
    what: `${about}: all checked, and a quarter reported`,
    figures: {
      'written: CPU seconds of the generator': written.cpuSeconds,
      'checkpoints, and heads that they name': `${signed.count}, ${signed.heads}`,
      'audit verify: CPU seconds': verify.cpuSeconds,
      'report of a quarter: CPU seconds': report.cpuSeconds,
      'report of a quarter: its records': JSON.stringify(report.said.records),
    },
    goals: checks,
    limitedBy: [loadNow(), 'A thread for each core reads and checks; PostgreSQL works on the same cores.'],
  });

  const list = createIncidentList(database, {
    marks: { of: (content) => `mark of ${content.length}`, isOf: (content, mark) => mark === `mark of ${content.length}` },
    records: async (chain) => (await readChain(store, trust, chain)).records,
  });
  const listed = await spentOn(() => list.catchUp());
  console.log(`the console's list made of ${listed.result} incidents in ${listed.cpuSeconds} s of CPU`);
  await database.all('ANALYZE');
  const chains = await store.chains(['']);
  const pages = await timesOf(200, async (nth) => {
    const { next } = await list.page({ limit: 50, ...(nth % 2 === 0 && { namespace: [`shop-${nth % 40}`] }) }, 'all');
    if (next !== null) await list.page({ limit: 50, cursor: next }, 'all');
  });
  const ones = await timesOf(200, async (nth) => {
    const chain = chains[(nth * 7_919) % chains.length] ?? '';
    const summary = await list.find(incidentKeyOf(chain), 'all');
    if (!summary || !(await readChain(store, trust, chain)).proof.whole) throw new Error(`${chain} is not whole`);
  });
  const notary = startNotary({ url, pem, at: signedAt });
  const begun = await notary.sign();
  console.log('the notary begins', begun);
  const rounds: number[] = [];
  for (let nth = 1; nth <= 20; nth += 1) {
    for (const chain of chains.slice(0, movedChains)) await store.append([grown(chain, written.added + nth)]);
    rounds.push((await notary.sign()).cpuSeconds * 1_000);
  }
  await notary.stop();
  writeFileSync(writtenFile, JSON.stringify({ ...written, added: written.added + rounds.length }));
  const [page, one, round6] = [distribution(pages), distribution(ones), distribution(rounds)];
  const looks = [
    { what: 'console: two pages of the list, p99', goal: 'at most 200 ms', measured: `${page.p99} ms`, met: page.p99 <= 200 },
    { what: 'console: one incident with its proof, p99', goal: 'at most 200 ms', measured: `${one.p99} ms`, met: one.p99 <= 200 },
  ];
  printGoals(looks);
  await database.close();
  writeResult({
    name: 'many-records-desk',
    what: `${about}: viewed in the console, and followed by the notary`,
    figures: {
      'console, two pages of the list, ms': page,
      'console, one incident, ms': one,
      'the notary reads all checkpoints at a start: CPU seconds': round(begun.cpuSeconds),
      'the notary reads all checkpoints at a start: MB of its process': begun.megabytes,
      'a round of the notary, six chains moved: CPU ms': round6,
    },
    goals: looks,
    limitedBy: [loadNow(), 'PostgreSQL works on the same cores.'],
  });
} finally {
  await databases.stop();
  if (kept === undefined) rmSync(folder, { recursive: true, force: true });
}
