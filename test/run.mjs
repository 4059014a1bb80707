/**
 * `npm test`: sets up, checks, builds, starts one Temporal and one Kubernetes API for the whole run, and adds the suites
 * up into the last line. `npm test -- unit`, `npm test -- platform lease` choose suites and files by part of their path.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { ensureBuilt } from '../service/dev/build.mjs';
import { ensureSetUp, root, runUnder } from '../service/dev/setup.mjs';
import { suites, testFiles } from './suites.mjs';

const longestSuite = 30 * 60_000;
const say = (line) => process.stdout.write(`${line}\n`);
const startedAt = Date.now();

const node = await ensureSetUp({ log: say });
if (node !== process.execPath) process.exit(await runUnder({ node, args: [import.meta.filename, ...process.argv.slice(2)] }));

const words = process.argv.slice(2);
const chosen = suites.filter(({ name }) => words.includes(name));
const filters = words.filter((word) => !suites.some(({ name }) => name === word));
const wanted = (chosen.length > 0 ? chosen : suites).map((suite) => ({ suite, files: testFiles({ root, suite, filters }) }));

const total = { passed: 0, failed: 0, skipped: 0 };
const notes = [];
const workFolder = mkdtempSync(join(tmpdir(), 'firebreak-run-'));
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => {
    interrupted = true;
  });

await step('check', async () => {
  const result = spawnSync(node, [join(root, 'service', 'dev', 'check.mjs')], { cwd: root, stdio: 'inherit' });
  if (result.status !== 0) throw new Error('npm run check failed, see above');
});
await step('build', () => ensureBuilt({ node, log: say }));
// Fetched here and not by the first tests that need it: the wait for it must not come out of a test's time.
if (wanted.some(({ suite, files }) => suite.name === 'unit' && files.length > 0))
  await step('time-skipping server', async () => {
    const { timeSkippingServerPath } = await import('../service/dev/temporal-binary.ts');
    await timeSkippingServerPath((message) => say(`time-skipping server: ${message}`));
  });

let platform;
const onParts = wanted.filter(({ suite, files }) => suite.platform && files.length > 0 && !suite.missing());
if (onParts.length > 0) {
  await step('platform', async () => {
    const { startPlatform } = await import('../service/dev/platform.ts');
    platform = await startPlatform({
      stateDir: join(workFolder, 'platform'),
      kubernetes: { nodes: ['node-a', 'node-b', 'node-c', 'node-d'], auditLevel: 'RequestResponse' },
      onProgress: (message) => say(`platform: ${message}`),
    });
  });
}
const environment = { ...process.env };
if (platform) {
  environment.FIREBREAK_TEST_PLATFORM = join(workFolder, 'addresses.json');
  writeFileSync(
    environment.FIREBREAK_TEST_PLATFORM,
    JSON.stringify({
      temporalAddress: platform.temporal.address,
      temporalNamespace: platform.temporal.namespace,
      kubeconfig: platform.kubernetes.kubeconfig,
      auditLog: platform.kubernetes.auditLog,
    }),
  );
}
// Two lanes side by side: what runs on the shared servers waits for them most of the time.
const lanes = [true, false].map((shared) => wanted.filter(({ suite }) => (suite.platform === true) === shared));
await Promise.all(lanes.map(runLane));
await platform?.stop();

if (interrupted) total.failed += 1;
if (total.failed === 0) rmSync(workFolder, { recursive: true, force: true });
else notes.push(`logs are kept in ${workFolder}`);
say('');
for (const note of notes) say(note);
say(`took ${Math.round((Date.now() - startedAt) / 1000)} s`);
process.exitCode = total.failed === 0 ? 0 : 1;
say(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`);

async function runLane(lane) {
  for (const { suite, files } of lane) {
    if (interrupted) break;
    const missing = suite.missing();
    if (files.length === 0) continue;
    if (missing || (suite.platform && !platform)) {
      total.skipped += files.length;
      notes.push(`${suite.name}: ${files.length} files skipped: ${missing ?? 'the platform did not start'}`);
    } else {
      await step(suite.name, () => (suite.lab ? inLab({ suite, files }) : runJest({ suite, files, env: environment })));
    }
  }
}

/** What throws counts as one failure. */
async function step(name, work) {
  if (interrupted) return;
  say(`\n== ${name}`);
  try {
    await work();
  } catch (error) {
    total.failed += 1;
    notes.push(`${name}: ${error.message}`);
  }
}

async function inLab({ suite, files }) {
  const { startLab } = await import('./node/start-lab.ts');
  const stateDir = join(workFolder, 'lab');
  const { addresses, kubernetes } = await startLab({ stateDir, onProgress: (message) => say(`lab: ${message}`) });
  try {
    const file = join(workFolder, 'lab.json');
    writeFileSync(file, JSON.stringify(addresses));
    await runJest({ suite, files, env: { ...environment, FIREBREAK_TEST_LAB: file } });
  } finally {
    await kubernetes.stop();
  }
}

async function runJest({ suite, files, env }) {
  const report = join(workFolder, `${suite.name}.json`);
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  const exit = await Promise.race([
    runUnder({
      node,
      args: [
        ...['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', jest, '--rootDir', root],
        ...['--maxWorkers', String(suite.workers), '--json', '--outputFile', report, '--runTestsByPath', ...files],
      ],
      env,
      stdout: 'ignore',
    }),
    new Promise((resolve) => setTimeout(resolve, longestSuite, 'late').unref()),
  ]);
  if (!existsSync(report)) throw new Error(exit === 'late' ? 'took too long' : 'jest ended without a report');
  const result = JSON.parse(readFileSync(report, 'utf8'));
  total.passed += result.numPassedTests;
  total.failed += result.numFailedTests;
  total.skipped += result.numPendingTests + result.numTodoTests;
  const broken = result.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  );
  total.failed += broken.length;
  for (const { name } of broken) notes.push(`${suite.name}: ${relative(root, name)} did not run`);
  for (const { name, assertionResults } of result.testResults)
    for (const { status, fullName, failureMessages } of assertionResults)
      if (status === 'failed')
        notes.push(`${suite.name}: ${relative(root, name)}: ${fullName}: failed\n${beginning(failureMessages)}`);
  if (exit !== 0 && result.success) throw new Error(`jest ended with ${exit} though all tests passed`);
}

/** Enough to know a failure by, where a log's middle is cut; the whole of it stands above and in the suite's report. */
function beginning(messages) {
  const lines = stripVTControlCharacters(messages.join('\n')).split('\n');
  return lines
    .filter((line) => line.trim() !== '')
    .slice(0, 10)
    .map((line) => `    ${line.slice(0, 300)}`)
    .join('\n');
}
