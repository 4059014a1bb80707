import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serviceNodeFlags } from '../service/launcher/node-flags.mjs';
import { distribution, printGoals, round, writeResult } from './report.ts';

const runs = 5;
const count = Number(process.env.BENCH_COUNT ?? 100_000);
const workloads = 5_000;
const mostMs = 1_000;
const program = join(import.meta.dirname, 'parts/spool-filler.ts');
const flags = [...serviceNodeFlags, '--disable-warning=ExperimentalWarning'];

interface Opened {
  readonly ms: number;
  readonly entries: number;
  readonly incidents: number;
  readonly bytes: number;
}

const opened: Opened[] = [];
const accepted: number[] = [];
for (let turn = 0; turn < runs; turn += 1) {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-bench-spool-'));
  try {
    accepted.push(await fillAndKill(folder));
    const said = execFileSync(process.execPath, [...flags, program, 'open', folder], { encoding: 'utf8' });
    opened.push(JSON.parse(said));
    console.log(`${round(opened[turn]?.ms ?? 0)} ms for ${opened[turn]?.entries} entries`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const took = distribution(opened.map(({ ms }) => ms));
const lost = opened.reduce((sum, { entries }, turn) => sum + Math.max(0, (accepted[turn] ?? 0) - entries), 0);
const goals = [
  {
    what: `reopening the spool with ${count} entries after kill -9, slowest`,
    goal: `less than ${mostMs} ms`,
    measured: `${took.max} ms (n ${took.count})`,
    met: took.max < mostMs,
  },
  { what: 'entries lost by the kill', goal: '0', measured: String(lost), met: lost === 0 },
];
const result = {
  name: 'spool-reopen',
  what: `Milliseconds that a new process takes to open the spool of one that was killed with -9 while it wrote, with ${count} waiting alerts of Falco over ${workloads} workloads: the lock is taken over, and the place of every alert is read`,
  figures: {
    'reopened, ms': took,
    'entries, fewest': Math.min(...opened.map(({ entries }) => entries)),
    'entries, most': Math.max(...opened.map(({ entries }) => entries)),
    'size of the spool, most, MB': round(Math.max(...opened.map(({ bytes }) => bytes)) / 1e6),
    lost,
  },
  goals,
  limitedBy: [
    'The file is in the system’s page cache, as it is after a process dies; after the machine dies it is read from the disk first.',
  ],
};
writeResult(result);
printGoals(goals);
if (goals.some(({ met }) => !met)) process.exitCode = 1;

/** Kills it in the middle of its writes; returns how many it reported as on disk. */
async function fillAndKill(folder: string): Promise<number> {
  const child = spawn(process.execPath, [...flags, program, 'fill', folder, String(count), String(workloads)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const filled = await saidBy(child);
  const ended = new Promise((done) => child.once('exit', done));
  child.kill('SIGKILL');
  await ended;
  return filled;
}

function saidBy(child: ChildProcess): Promise<number> {
  return new Promise((done, fail) => {
    child.stdout?.once('data', (data) => done(Number(data)));
    child.once('exit', (code) => fail(new Error(`the filler exited with ${code}`)));
  });
}
