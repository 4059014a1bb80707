import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { join, relative } from 'node:path';

/** Milliseconds (or another unit that its name states) of many single measurements of one run. */
export interface Distribution {
  readonly count: number;
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

export interface Goal {
  readonly what: string;
  readonly goal: string;
  readonly measured: string;
  readonly met: boolean;
}

export interface BenchResult {
  readonly name: string;
  readonly what: string;
  readonly figures: Readonly<Record<string, Distribution | number | string>>;
  readonly goals: readonly Goal[];
  /** What limits the figures, in words. */
  readonly limitedBy: readonly string[];
  /** Measured points from which a model is built. */
  readonly points?: unknown;
}

/** Nearest-rank percentiles: with 100 values p99 is the 99th value, not an interpolation. */
export function distribution(values: readonly number[]): Distribution {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => round(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN);
  return { count: sorted.length, min: at(0), p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

export function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** One of the limits of a result: the other load on the machine. */
export function loadNow(): string {
  const load = round((loadavg()[0] ?? 0) / cpus().length);
  return `Load of the machine when this was measured (1 min, per core): ${load}. Above 1, other programs took part of the time.`;
}

/** Sizes of a run that measures less than the whole. */
const sizes = [
  'SHORT',
  'COUNT',
  'SCALE',
  'ROUNDS',
  'OPEN',
  'AWAY_S',
  'RATE',
  'ONLY',
  'MEGABYTES',
  'ARTEFACTS',
  'REST_S',
  'CELLS',
  'REPLICAS',
];

/** Where results go: only the whole form of a benchmark leaves one in the repository. */
export function resultsFolder(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const isWhole = sizes.every((size) => env[`BENCH_${size}`] === undefined);
  return isWhole ? join(import.meta.dirname, 'results') : join(import.meta.dirname, '..', '.build', 'bench');
}

/** Writes `NAME.json` with facts about the machine, whether it was quiet before, and the measured versions. */
export function writeResult(result: BenchResult): void {
  const folder = resultsFolder();
  mkdirSync(folder, { recursive: true });
  const { BENCH_REST: before = 'not started by `npm run bench`' } = process.env;
  const facts = { at: new Date().toISOString(), before, machine: machineFacts(), versions: versions() };
  const file = join(folder, `${result.name}.json`);
  writeFileSync(file, `${JSON.stringify({ ...result, ...facts }, null, 2)}\n`);
  say(`written: ${relative(process.cwd(), file)}`);
}

/** Prints a line about what a benchmark does or has found so far. */
export function say(line: string): void {
  console.log(`  ${line}`);
}

function machineFacts() {
  return {
    cores: cpus().length,
    processor: cpus()[0]?.model ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
  };
}

function versions() {
  const lock = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version?: string }>;
  };
  const of = (name: string): string => lock.packages[`node_modules/${name}`]?.version ?? 'unknown';
  return {
    node: process.version,
    temporalSdk: of('@temporalio/worker'),
    lmdb: of('lmdb'),
    bolt: of('@slack/bolt'),
    commit: commit(),
  };
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: import.meta.dirname, encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}

/** Prints how a benchmark's goals stand when it ends. */
export function printGoals(goals: readonly Goal[]): void {
  for (const { what, goal, measured, met } of goals) console.log(`${met ? 'met    ' : 'NOT MET'} ${what}: ${measured} (${goal})`);
}

/** The table at the end of `npm run bench`: one row per goal. */
export function printTable(results: readonly BenchResult[]): void {
  const rows = results.flatMap(({ name, goals }) =>
    goals.map((goal) => [name, goal.what, goal.goal, goal.measured, goal.met ? 'met' : 'NOT MET']),
  );
  const header = ['benchmark', 'what', 'goal', 'measured', ''];
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of [header, ...rows])
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}
