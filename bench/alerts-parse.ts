import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { residentBytes } from '../tools/demo/processes.ts';
import { alertAbout, timeOf } from './parts/alerts.ts';
import { processStat, ticksPerSecond } from './parts/process-stat.ts';
import { distribution, loadNow, printGoals, round, writeResult } from './report.ts';

const runs = 3;
const lines = Number(process.env.BENCH_COUNT ?? 100_000);
const fewest = 20_000;
const mostMb = 300;
const command = [join(import.meta.dirname, '..', 'service', 'cli.ts'), 'alerts', 'parse'];

const folder = mkdtempSync(join(tmpdir(), 'firebreak-bench-parse-'));
try {
  await measure(join(folder, 'falco.jsonl'));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function measure(file: string): Promise<void> {
  const bytes = writeLines(file);
  const perSecond: number[] = [];
  const perCpuSecond: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const { seconds, cpuSeconds } = await parse(file);
    perSecond.push(Math.round(lines / seconds));
    perCpuSecond.push(Math.round(lines / cpuSeconds));
    console.log(`${perSecond[run]} lines/s, ${perCpuSecond[run]} per CPU second`);
  }
  const heldMb = await heldForNobody(file);
  console.log(`${heldMb} MB while nobody reads`);
  const slowest = distribution(perCpuSecond).min;
  const goals = [
    {
      what: 'lines read per CPU second, slowest run',
      goal: `at least ${fewest}`,
      measured: `${slowest} (n ${runs})`,
      met: slowest >= fewest,
    },
    {
      what: `memory while nobody reads the output of ${round(bytes / 1e6)} MB`,
      goal: `less than ${mostMb} MB`,
      measured: `${heldMb} MB`,
      met: heldMb < mostMb,
    },
  ];
  const result = {
    name: 'alerts-parse',
    what: `firebreak alerts parse of a file of ${lines} lines of Falco, from the start of the process to its end, into a pipe that is read at once; and its resident memory, in MB (10^6 bytes), into a pipe that nobody reads`,
    figures: {
      'lines/s': distribution(perSecond),
      'lines for each second of the processor': distribution(perCpuSecond),
      'size of the file, MB': round(bytes / 1e6),
      'held while nobody reads, MB': heldMb,
    },
    goals,
    limitedBy: ['One core: reading JSON, looking for secrets in each text, and writing JSON.', loadNow()],
  };
  writeResult(result);
  printGoals(goals);
}

function writeLines(file: string): number {
  const handle = openSync(file, 'w');
  let bytes = 0;
  for (let number = 0; number < lines; number += 1) {
    bytes += writeSync(handle, `${alertAbout({ namespace: 'shop', name: `cart-${number % 500}` }, { time: timeOf(number) })}\n`);
  }
  closeSync(handle);
  return bytes;
}

async function parse(file: string): Promise<{ readonly seconds: number; readonly cpuSeconds: number }> {
  const before = processStat(process.pid)?.childrenTicks ?? 0;
  const started = performance.now();
  const child = spawn(process.execPath, [...command, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.resume();
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`the command exited with ${code}`);
  const seconds = (performance.now() - started) / 1_000;
  return { seconds, cpuSeconds: ((processStat(process.pid)?.childrenTicks ?? 0) - before) / ticksPerSecond };
}

/** The memory that it holds when it has nothing more to do, because nobody reads. */
async function heldForNobody(file: string): Promise<number> {
  const child = spawn(process.execPath, [...command, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'readable');
  while (await isAtWork(child)) await sleep(100);
  const held = residentBytes(child.pid ?? 0) ?? Number.NaN;
  child.kill();
  return round(held / 1e6);
}

async function isAtWork({ pid = 0 }: ChildProcess): Promise<boolean> {
  const before = ticksOf(pid);
  await sleep(2_000);
  return ticksOf(pid) > before + 2;
}

function ticksOf(pid: number): number {
  const stat = processStat(pid);
  return (stat?.userTicks ?? 0) + (stat?.systemTicks ?? 0);
}
