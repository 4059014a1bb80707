import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { serviceNodeFlags } from '../service/launcher/node-flags.mjs';
import { writeScalingTables } from './parts/scale/tables.ts';
import { type BenchResult, printTable } from './report.ts';

/** All benchmarks. Each runs in its own process, so that none leaves its memory to the next. */
const benchmarks = [
  'alert-to-containment',
  'click-to-action',
  'storm',
  'intake',
  'memory',
  'scale',
  'workers',
  'actions',
  'outages',
  'temporal-away',
  'spool-reopen',
  'alerts-parse',
  'matcher',
  'playbooks/backtest',
  'novelty',
  'playbooks/assessment',
  'playbooks/every-answer',
  'playbooks/saved-pack',
  'playbooks/pack-check',
  'streams',
  'records/audit',
  'records/many-records',
  'console',
] as const;

/** `NAME:postgres`: the second part is passed to the benchmark, which then has a separate result. */
const wanted = process.argv.slice(2).map((one) => one.split(':', 2));
const names: readonly string[] = benchmarks.map((name) => basename(name));
const chosen =
  wanted.length > 0
    ? wanted.flatMap(([name, on]) => benchmarks.filter((one) => basename(one) === name).map((one) => ({ name: one, on })))
    : benchmarks.map((name) => ({ name, on: undefined }));
if (chosen.length < wanted.length) {
  console.error(
    `usage: npm run bench [-- NAME…], where NAME is one of ${names.join(', ')}; console:postgres is the console on PostgreSQL`,
  );
  process.exit(2);
}
let failed = false;
for (const { name, on } of chosen) {
  console.log(`\n== ${name}`);
  const told = on === undefined ? [] : [on];
  const { status } = spawnSync(process.execPath, [...flagsFor(name), join(import.meta.dirname, `${name}.ts`), ...told], {
    stdio: 'inherit',
  });
  failed ||= status !== 0;
}
// They are computed from several results.
writeScalingTables();
console.log('');
// The desk's figures with the same records are a separate result.
const results = chosen.map(({ name, on }) => (on === undefined ? name : `${name}-${on}`));
printTable(results.flatMap((name) => [name, `${name}-desk`]).flatMap(read));
process.exit(failed ? 1 : 0);

/** A benchmark that does the service's work in its own process does it as the service would; the others start a service. */
function flagsFor(name: string): readonly string[] {
  return name === 'actions' ? serviceNodeFlags : [];
}

function read(name: string): readonly BenchResult[] {
  try {
    return [JSON.parse(readFileSync(join(import.meta.dirname, 'results', `${basename(name)}.json`), 'utf8')) as BenchResult];
  } catch {
    return [];
  }
}
