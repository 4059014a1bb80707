/**
 * `npm run check` holds the quick tier (`npm test`) quick: each of its files has a measured cost within the budget of its suite, and needs nothing that is
 * fetched or compiled but the shared platform. `--renew` takes the costs that the last runs measured, after a run that was alone on the machine.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../service/process/project-root.ts';
import { partsFor } from '../parts/needed-parts.ts';
import { type Suite, suites, testFiles } from '../suites.mjs';

/** What a file took: seconds by the clock, and of the processor, without the servers that the run shares. */
interface FileCost {
  readonly seconds: number;
  readonly cpuSeconds: number;
}
type Costs = Readonly<Record<string, FileCost>>;

/**
 * Seconds of the processor that a file of a suite may take, and all of them together: with check, build and servers they make a run of ten minutes on two
 * processors. By the clock a file takes longer the more else the machine does.
 */
const budgets: Readonly<Record<string, { readonly file: number; readonly all: number }>> = {
  unit: { file: 30, all: 450 },
  journeys: { file: 60, all: 400 },
};
const mostJourneys = 25;
/** What the shared platform of the journeys consists of. */
const sharedParts = new Set(["Temporal's dev server", 'Kubernetes']);

const root = projectRoot();
const costsFile = join('test', 'costs.json');
const quick = suites.filter((suite) => suite.quick).map((suite) => ({ suite, files: testFiles({ root, suite, filters: [] }) }));

function renew(): void {
  const measured: readonly (FileCost & { readonly file: string })[] = JSON.parse(
    readFileSync(join(root, 'node_modules', '.cache', 'firebreak', 'test-costs.json'), 'utf8'),
  );
  const known = new Map(measured.map(({ file, seconds, cpuSeconds }) => [file, { seconds, cpuSeconds }]));
  const old = readCosts();
  const costs = quick.flatMap(({ files }) => files.map((file) => [file, known.get(file) ?? old[file]] as const));
  const lines = costs.filter(([, cost]) => cost).map(([file, cost]) => ` ${JSON.stringify(file)}: ${JSON.stringify(cost)}`);
  writeFileSync(join(root, costsFile), `{\n${lines.join(',\n')}\n}\n`);
}

function readCosts(): Costs {
  const file = join(root, costsFile);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
}

function faults(): readonly string[] {
  const costs = readCosts();
  return quick.flatMap(({ suite, files }) => [...costFaults(suite, files, costs), ...partFaults(suite, files)]);
}

function costFaults({ name }: Suite, files: readonly string[], costs: Costs): readonly string[] {
  const budget = budgets[name];
  if (!budget) return [`the suite ${name} has no budget in test/runner/tiers.ts`];
  const cpuOf = (file: string): number => costs[file]?.cpuSeconds ?? 0;
  const sum = Math.round(files.reduce((total, file) => total + cpuOf(file), 0));
  const dearest = files.toSorted((a, b) => cpuOf(b) - cpuOf(a)).slice(0, 3);
  const most = dearest.map((file) => `${file} ${cpuOf(file)}`).join(', ');
  process.stdout.write(`quick tier: ${name}: ${files.length} files, ${sum} s of the processor; most: ${most}\n`);
  return [
    ...files.filter((file) => !costs[file]).map((file) => `${file}: its cost is not known: run it, then npm run test:costs`),
    ...files
      .filter((file) => cpuOf(file) > budget.file)
      .map(
        (file) => `${file}: ${cpuOf(file)} s of the processor, at most ${budget.file} allowed: move it to a suite of test:all`,
      ),
    ...(sum > budget.all ? [`${name}: ${sum} s of the processor in all, at most ${budget.all} allowed`] : []),
    ...(name === 'journeys' && files.length > mostJourneys ? [`${files.length} journeys, at most ${mostJourneys} allowed`] : []),
  ];
}

function partFaults(suite: Suite, files: readonly string[]): readonly string[] {
  const allowed = suite.platform ? sharedParts : new Set<string>();
  return partsFor({ root, wanted: [{ suite, files }] })
    .filter(({ part }) => !allowed.has(part.name))
    .flatMap(({ part, files: users }) => users.map((file) => `${file}: needs ${part.name}: move it to a suite of test:all`));
}

if (process.argv.includes('--renew')) renew();
const found = faults();
for (const fault of found) process.stdout.write(`${fault}\n`);
process.exitCode = found.length === 0 ? 0 : 1;
