import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { serviceNodeFlags } from '../service/launcher/node-flags.mjs';
import { writeScalingTables } from './parts/scale/tables.ts';
import { type BenchResult, printTable } from './report.ts';

/** Every benchmark there is. Each runs in a process of its own, so that none leaves its memory to the next. */
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
  'playbooks/every-answer',
  'playbooks/saved-pack',
  'playbooks/pack-check',
  'streams',
  'records/audit',
  'records/many-records',
  'console',
] as const;

const wanted = process.argv.slice(2);
const chosen = wanted.length > 0 ? benchmarks.filter((name) => wanted.includes(basename(name))) : benchmarks;
if (chosen.length === 0) {
  console.error(`usage: npm run bench [-- NAME…], with NAME of ${benchmarks.map((name) => basename(name)).join(', ')}`);
  process.exit(2);
}
let failed = false;
for (const name of chosen) {
  console.log(`\n== ${name}`);
  const { status } = spawnSync(process.execPath, [...flagsFor(name), join(import.meta.dirname, `${name}.ts`)], {
    stdio: 'inherit',
  });
  failed ||= status !== 0;
}
// They are made from several results.
writeScalingTables();
console.log('');
printTable(chosen.flatMap((name) => read(name)));
process.exit(failed ? 1 : 0);

/** What does the service's work in its own process does it as the service would; the others start one. */
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
