import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { serviceNodeFlags } from '../service/launcher/node-flags.mjs';
import { writeScalingTables } from './parts/scale/tables.ts';
import { type BenchResult, printTable, resultsFolder } from './report.ts';
import { type Chosen, helpText, readOptions } from './run/options.ts';
import { waitForRest } from './run/rest.ts';
import { started } from './run/started.ts';

const shortSeconds = 180;
const options = readOptions(process.argv.slice(2));
if (options.does === 'help') {
  console.log(helpText());
  process.exit(0);
}
if (options.does === 'refuse') {
  console.error(options.why);
  process.exit(2);
}
const { chosen, isShort, restSeconds } = options;
let failed = false;
const results: BenchResult[] = [];
for (const one of chosen) {
  const { benchmark, on } = one;
  const { file, measures, minutes } = benchmark;
  const name = basename(file);
  console.log(`\n== ${name}: ${measures} (${isShort ? 'short form, three minutes at most' : `about ${minutes} min`})`);
  const sizes = isShort ? benchmark.short : {};
  const env = { ...process.env, ...sizes, ...(isShort && { BENCH_SHORT: '1' }), BENCH_REST: await waitForRest(restSeconds) };
  const [began, begunAt] = [performance.now(), new Date().toISOString()];
  const args = [...flagsFor(name), join(import.meta.dirname, `${file}.ts`), ...(on === undefined ? [] : [on])];
  const isDone = await started({ name, args, env });
  const seconds = Math.round((performance.now() - began) / 1_000);
  console.log(`${name} ${isDone ? 'ended' : 'FAILED'} after ${seconds} s`);
  if (isShort && seconds > shortSeconds) console.log(`${name}: the short form should take ${shortSeconds} s at most`);
  failed ||= !isDone;
  results.push(...resultsOf(one, resultsFolder(env), begunAt));
}
// They are computed from several results.
writeScalingTables();
console.log('');
if (isShort) console.log('The sizes are small. The goals are those of the whole form.');
printTable(results);
process.exit(failed ? 1 : 0);

/** A benchmark that does the service's work in its own process does it as the service would; the others start a service. */
function flagsFor(name: string): readonly string[] {
  return name === 'actions' ? serviceNodeFlags : [];
}

/** What it has just written. The desk's figures with the same records are a separate result. */
function resultsOf({ benchmark, on }: Chosen, folder: string, begunAt: string): readonly BenchResult[] {
  const name = basename(benchmark.file);
  const written = on === undefined ? name : `${name}-${on}`;
  return [written, `${written}-desk`].flatMap((one) => {
    try {
      const result: BenchResult & { readonly at: string } = JSON.parse(readFileSync(join(folder, `${one}.json`), 'utf8'));
      return result.at >= begunAt ? [result] : [];
    } catch {
      return [];
    }
  });
}
