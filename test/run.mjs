/**
 * `npm test`: sets up, checks, builds, starts a Temporal and a Kubernetes API for each worker that needs them, runs the quick tier, and sums it up in the last
 * line. `npm run test:all` (`--all`) runs all suites, `npm run test:changed -- COMMIT` (`--changed`) the files that the changes since a commit can reach. `npm
 * test -- unit`, `npm test -- platform lease` choose suites and files by part of their path, without the check; a suite that is named may be of either tier.
 * `--kubernetes 1.36` uses another Kubernetes than the default; tools/platform/kubernetes/kubelab-binary.ts lists them. What has to be built or fetched comes
 * before the suites (parts/needed-parts.ts); `--prepare` does only that. In a whole run, the few files that failed run once more, alone: what passes then is
 * counted as passed, and named as unsteady (docs/decisions/tests.md; FIREBREAK_TEST_AGAIN=no turns it off). It ends by itself after FIREBREAK_TEST_MINUTES (60;
 * 150 with all suites), with an account of what did not run, which has failed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runUnder } from '../service/launcher/launcher.mjs';
import { ensureBuilt } from '../tools/setup/build.mjs';
import { ensureSetUp, root } from '../tools/setup/setup.mjs';
import { cpuMsOf, cpuMsUsed } from './jest/cpu-used.mjs';
import { afterAgain, environmentOfTests, processesWith, runSuite } from './run-suite.mjs';
import { changedFiles, reachedTests } from './runner/changed.mjs';
import { suites, testFiles } from './suites.mjs';

const say = (line) => process.stdout.write(`${line}\n`);
const startedAt = Date.now();

const words = process.argv.slice(2);
const command = ['npm test', ...words].join(' ');
/** Takes an option out of the words. */
const takes = (name) => {
  const place = words.indexOf(name);
  if (place >= 0) words.splice(place, 1);
  return place >= 0 ? place : undefined;
};
const kubernetes = takes('--kubernetes');
if (kubernetes !== undefined) {
  const [version] = words.splice(kubernetes, 1);
  if (version === undefined) throw new Error('--kubernetes needs a version: npm test -- --kubernetes 1.36');
  process.env.FIREBREAK_KUBERNETES = version;
}
// For a machine, or an image of one, that is made ready ahead of its runs.
const onlyPrepare = takes('--prepare') !== undefined;
const all = takes('--all') !== undefined;
const changed = takes('--changed');
/** What has changed since this commit chooses the files; absent: since the last commit. */
const since = changed === undefined ? undefined : (words.splice(changed, 1)[0] ?? 'HEAD');
const wrong = words.find((word) => word.startsWith('-'));
if (wrong !== undefined) {
  say(
    `there is no option ${wrong}: --all, --changed COMMIT, --prepare, --kubernetes VERSION; other words choose suites and files`,
  );
  process.exit(2);
}
const named = suites.filter(({ name }) => words.includes(name));
const chosen = named.length > 0 ? named : suites.filter(({ quick }) => quick || all || since !== undefined);
/** Of a tier: only then is the check part of it, what failed runs again, and the result is one that others may ask for. */
const isWhole = words.length === 0 && since === undefined && !onlyPrepare;

// Does not wait for a Kubernetes to be compiled if the tests do not need one.
const startsCluster = chosen.some(({ platform, lab, name }) => platform || lab || ['cluster', 'servers'].includes(name));
const node = await ensureSetUp({ log: say, startsCluster: startsCluster && kubernetes === undefined });
if (node !== process.execPath) process.exit(await runUnder({ node, args: [import.meta.filename, ...process.argv.slice(2)] }));

process.env = environmentOfTests(process.env);
process.umask(0o022);

const minutes = Number(process.env.FIREBREAK_TEST_MINUTES ?? (all || since !== undefined ? 150 : 60));
const until = startedAt + minutes * 60_000;
/** Time reserved for reporting the rest, and for stopping what was started. */
const reserveMs = 90_000;
/** More failed files than this are not an accident. */
const filesAgain = 6;

const filters = words.filter((word) => !suites.some(({ name }) => name === word));
const reached = since === undefined ? undefined : reachedTests({ root, changed: changedFiles({ root, since }) });
const wanted = chosen
  .map((suite) => ({ suite, files: testFiles({ root, suite, filters }).filter((file) => reached?.has(file) ?? true) }))
  .filter(({ files }) => files.length > 0);

const workFolder = mkdtempSync(join(tmpdir(), 'fb-run-'));
// What tests leave in the temporary directory is removed with the run. A short name: a socket's path is limited to 108 bytes.
const temporary = join(workFolder, 't');
mkdirSync(temporary);
// Same rights as the temporary directory: servers that run as another user must be able to enter it.
chmodSync(workFolder, 0o711);
chmodSync(temporary, 0o1777);
process.env.TMPDIR = temporary;
const mark = randomUUID();
process.env.FIREBREAK_TEST_RUN = mark;

// Go servers use a fifth less CPU if they collect garbage a third as often; there is enough memory for that.
process.env.GOGC ??= '300';

const rows = [];
const notes = [];
const costs = [];
/** How long the servers shared by all run until they are stopped. */
let serversMs = 0;
if (wanted.length === 0 && reached) {
  say(`no test can be reached from what has changed since ${since}`);
  say('0 passed, 0 failed');
  process.exit(0);
}
if (wanted.length === 0) fail('run', `there is no test file with ${filters.join(' and ')} in its path`);
const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => {
    interruption.abort();
  });

// Runs in parallel with everything else: the tests do not depend on it. Anyone who chooses tests wants to see only those.
const checked = isWhole ? part('check', check) : undefined;
await part('build', async () => {
  await ensureBuilt({ node, log: say });
  const { removeOldCompiled, removeUnusedParts } = await import('./runner/unused-parts.ts');
  removeOldCompiled();
  const removed = removeUnusedParts();
  if (removed.length > 0) say(`removed from the cache: ${removed.length} parts that are not used any more`);
});
/** Why files cannot run whose part could not be had. */
let withoutPart = new Map();
// Here rather than by the first test that needs one: then a build has no time limit of a test, and no other builds beside it.
await part('parts', async () => {
  const { partsFor, prepareParts } = await import('./parts/needed-parts.ts');
  const parts = partsFor({ root, wanted: wanted.filter(({ suite }) => !suite.missing()) });
  const begunAt = Date.now();
  withoutPart = await prepareParts({ parts, say, until: until - reserveMs, signal: interruption.signal });
  say(`parts: ${parts.length} looked at in ${secondsSince(begunAt)} s`);
});
if (onlyPrepare) await endAfterPreparing();

const platforms = [];
const onPlatforms = wanted.filter(({ suite, files }) => suite.platform && !suite.missing() && canRun(files).length > 0);
const platformsWanted = Math.max(0, ...onPlatforms.map(({ suite, files }) => Math.min(suite.workers, files.length)));
if (platformsWanted > 0) {
  await part('platform', async () => {
    const { startPlatform } = await import('../tools/platform/platform.ts');
    const started = Array.from({ length: platformsWanted }, (_, index) =>
      startPlatform({
        stateDir: join(workFolder, `platform-${index + 1}`),
        kubernetes: { nodes: ['node-a', 'node-b', 'node-c', 'node-d'], auditLevel: 'RequestResponse' },
        onProgress: (message) => say(`platform ${index + 1}: ${message}`),
      }).then((platform) => platforms.push(platform)),
    );
    await Promise.allSettled(started);
    await Promise.all(started);
  });
}
const environment = { ...process.env };
if (platforms.length > 0) {
  environment.FIREBREAK_TEST_PLATFORM = join(workFolder, 'addresses.json');
  const addresses = platforms.map(({ temporal, kubernetes }) => ({
    temporalAddress: temporal.address,
    temporalNamespace: temporal.namespace,
    kubeconfig: kubernetes.kubeconfig,
    auditLog: kubernetes.auditLog,
  }));
  writeFileSync(environment.FIREBREAK_TEST_PLATFORM, JSON.stringify(addresses));
}
/** How far each suite is. */
const progress = new Map();
const lastLines = new Map();
const reporting = setInterval(report, 10_000);
reporting.unref();
const lanes =
  since === undefined ? Object.groupBy(wanted, ({ suite: { lane = 'no servers of the run' } }) => lane) : { all: wanted };
await Promise.all([checked, ...Object.values(lanes).map(runLane)]);
clearInterval(reporting);
if (isWhole && process.env.FIREBREAK_TEST_AGAIN !== 'no') await runFailedAgain();
await part('end', async () => {
  for (const { temporal, kubernetes } of platforms) countServers(temporal.pid, ...Object.values(kubernetes.pids()));
  await Promise.all(platforms.map((platform) => platform.stop()));
  await endLeftovers();
});

if (interruption.signal.aborted) fail('run', 'it was interrupted');
const total = rows.reduce(
  (sum, { passed, failed, skipped }) => ({
    passed: sum.passed + passed,
    failed: sum.failed + failed,
    skipped: sum.skipped + skipped,
  }),
  { passed: 0, failed: 0, skipped: 0 },
);
rmSync(temporary, { recursive: true, force: true });
if (total.failed === 0) rmSync(workFolder, { recursive: true, force: true });
else notes.push(`logs are kept in ${workFolder}`);
say('');
for (const note of [...notes, ...rows.flatMap(({ notes: of = [] }) => of)]) say(note);
say('');
for (const line of table()) say(line);
for (const { file, seconds } of sortedBy('seconds').slice(0, 5)) if (seconds >= 30) say(`slow: ${file}: ${seconds} s`);
for (const { file, cpuSeconds } of sortedBy('cpuSeconds').slice(0, 5))
  if (cpuSeconds >= 10) say(`costly: ${file}: ${cpuSeconds} s of the processor`);
say(`what each file took: ${relative(root, keepCosts())}`);
if (since === undefined && total.failed > 0)
  for (const { file } of failedFiles()) say(`again: npm test -- ${suiteOf(file)} ${file}`);
// Often only the end of a long log is kept.
const shortly = rows.flatMap(({ shortly: of = [] }) => of);
for (const line of shortly.slice(0, 20)) say(`failed: ${line}`);
if (shortly.length > 20) say(`failed: ${shortly.length - 20} more, see above`);
const seconds = { all: inSeconds(cpuMsUsed()), servers: inSeconds(serversMs) };
const ofSuites = Math.round(rows.reduce((sum, { cpuSeconds = 0 }) => sum + cpuSeconds, 0));
const rest = `suites ${ofSuites}, their common servers ${seconds.servers}, check, build and the rest ${seconds.all - ofSuites - seconds.servers}`;
say(`took ${secondsSince(startedAt)} s, and ${seconds.all} s of the processor: ${rest}`);
keepResult();
say(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`);
process.exit(total.failed === 0 ? 0 : 1);

function canRun(files) {
  return files.filter((file) => !withoutPart.has(file));
}

async function endAfterPreparing() {
  for (const [file, why] of withoutPart) notes.push(`${file} cannot run: ${why}`);
  for (const line of [...notes, ...rows.map(({ name, why }) => `${name}: ${why}`)]) say(line);
  rmSync(workFolder, { recursive: true, force: true });
  process.exit(withoutPart.size + rows.length === 0 ? 0 : 1);
}

async function runLane(lane) {
  for (const { suite, files: all } of lane) {
    const missing = suite.missing();
    if (missing) {
      rows.push({ name: suite.name, passed: 0, failed: 0, skipped: all.length, seconds: 0, why: `files, for ${missing}` });
      continue;
    }
    const without = Map.groupBy(
      all.filter((file) => withoutPart.has(file)),
      (file) => withoutPart.get(file),
    );
    for (const [why, lacking] of without) didNotRun({ suite, files: lacking, why });
    const files = canRun(all);
    if (files.length === 0) continue;
    if (suite.platform && platforms.length < platformsWanted) didNotRun({ suite, files, why: 'the platform did not start' });
    else if (interruption.signal.aborted) didNotRun({ suite, files, why: 'the run was interrupted' });
    else if (Date.now() > until - reserveMs) didNotRun({ suite, files, why: 'the time for the whole run was over' });
    else await run({ suite, files });
  }
}

/** Counts each of its files as failed. */
function didNotRun({ suite, files, why }) {
  rows.push({ name: suite.name, passed: 0, failed: files.length, skipped: 0, seconds: 0, why });
  for (const file of files) notes.push(`${suite.name}: ${file} did not run: ${why}`);
}

async function run({ suite, files }) {
  const begunAt = Date.now();
  try {
    const result = await runFiles({ suite, files });
    const why = result.skippedIn.length > 0 ? `skipped: ${result.skippedIn.join(', ')}` : undefined;
    rows.push({ ...result, suite, name: suite.name, seconds: secondsSince(begunAt), why });
    costs.push(...result.costs);
  } catch (error) {
    didNotRun({ suite, files, why: error.message });
  }
}

/** Runs again, with nothing in parallel, what failed in parallel with the rest: on a busy machine a correct test fails now and then. */
async function runFailedAgain() {
  const failed = rows.filter(({ failedIn = [] }) => failedIn.length > 0);
  const count = failed.flatMap(({ failedIn }) => failedIn).length;
  if (count === 0 || count > filesAgain || interruption.signal.aborted || Date.now() > until - 2 * reserveMs) return;
  for (const row of failed) {
    const files = row.failedIn.map(({ file }) => file);
    say(`\nonce more, alone: ${files.join(', ')}`);
    try {
      const again = await runFiles({ suite: row.suite, files, account: `${row.name}-again`, workers: 1 });
      Object.assign(row, afterAgain(row, again));
    } catch (error) {
      notes.push(`${row.name}: could not run again: ${error.message}`);
    }
  }
}

async function runFiles({ suite, files, account = suite.name, workers = workersOf(suite) }) {
  say(`\n== ${account}`);
  let lab;
  try {
    const env = { ...environment };
    if (suite.testMs) env.FIREBREAK_TEST_PATIENCE_MS = String(suite.testMs / 2);
    if (suite.lab) {
      lab = await startLab();
      env.FIREBREAK_TEST_LAB = lab.file;
    }
    const signal = interruption.signal;
    const folder = workFolder;
    const log = isWhole ? join(workFolder, `${account}.log`) : undefined;
    const onProgress = (state) => progress.set(account, { ...state, of: files.length });
    onProgress({ done: 0, failed: 0 });
    const { testMs } = suite;
    return await runSuite({
      ...{ root, node, name: account, files, workers, testMs, folder, env, until: until - reserveMs, signal, log, onProgress },
    });
  } finally {
    progress.delete(account);
    if (lab) countServers(...Object.values(lab.kubernetes.pids()));
    await lab?.kubernetes.stop();
  }
}

/** In a choice of files, Jest shows each of them itself. */
function report() {
  if (!isWhole || progress.size === 0) return;
  const line = [...progress]
    .map(([name, { done, failed, of }]) => `${name} ${done} of ${of} files${failed > 0 ? `, ${failed} failed` : ''}`)
    .join('; ');
  // A line when something has changed, or after a minute without news.
  const { text, at } = lastLines.get('progress') ?? {};
  if (line === text && Date.now() - at < 60_000) return;
  lastLines.set('progress', { text: line, at: Date.now() });
  say(`${secondsSince(startedAt)} s: ${line}`);
}

function failedFiles() {
  return rows.flatMap(({ failedIn = [] }) => failedIn);
}

function suiteOf(file) {
  return suites.find(({ folder }) => folder && file.startsWith(`test/${folder}/`))?.name ?? 'unit';
}

function workersOf({ workers, workersAlone = workers }) {
  return wanted.length === 1 ? workersAlone : workers;
}

async function startLab() {
  const lab = await import('./node/lab/start-lab.ts');
  const stateDir = join(workFolder, 'lab');
  const { addresses, kubernetes } = await lab.startLab({ stateDir, onProgress: (message) => say(`lab: ${message}`) });
  const file = join(workFolder, 'lab.json');
  writeFileSync(file, JSON.stringify(addresses));
  return { file, kubernetes };
}

/** Its output is printed in one piece, not between the lines of the suites. */
async function check() {
  const child = spawn(node, [join(root, 'tools', 'check', 'check.mjs')], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const pieces = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => pieces.push(piece));
  const onAbort = () => child.kill();
  interruption.signal.addEventListener('abort', onAbort, { once: true });
  const status = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  interruption.signal.removeEventListener('abort', onAbort);
  process.stdout.write(Buffer.concat(pieces));
  if (status !== 0) throw new Error('npm run check failed, see above');
}

/** Runs a part; if it throws, that counts as one failure. */
async function part(name, work) {
  if (interruption.signal.aborted && name !== 'end') return;
  if (name !== 'end') say(`\n== ${name}`);
  try {
    await work();
  } catch (error) {
    fail(name, error.message);
  }
}

function fail(name, why) {
  rows.push({ name, passed: 0, failed: 1, skipped: 0, seconds: 0, why });
  notes.push(`${name}: ${why}`);
}

/** Nothing that the run has started continues after it; anything left over is a failure of the tests that started it. */
async function endLeftovers() {
  // Children of this process end with it: they wait for that before they end its servers.
  const left = () => processesWith('FIREBREAK_TEST_RUN', mark).filter(({ parent }) => parent !== process.pid);
  // What was just told to stop may not be done yet.
  for (let tries = 0; tries < 20 && left().length > 0; tries += 1) await sleep(500);
  for (const { pid, command } of left()) {
    fail('end', `still running after the tests, and ended now: ${command.slice(0, 200)}`);
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended in the meantime.
    }
  }
}

function table() {
  const line = (name, ...cells) => `${name.padEnd(20)}${cells.map((cell) => String(cell).padStart(9)).join('')}`;
  return [
    line('suite', 'passed', 'failed', 'skipped', 'seconds', 'cpu'),
    ...rows.map(
      ({ name, passed, failed, skipped, seconds, cpuSeconds = 0, why }) =>
        `${line(name, passed, failed, skipped, seconds, Math.round(cpuSeconds))}${why === undefined ? '' : `  ${why}`}`,
    ),
  ];
}

function sortedBy(key) {
  return costs.toSorted((a, b) => b[key] - a[key]);
}

function countServers(...pids) {
  serversMs += pids.reduce((sum, pid) => sum + cpuMsOf(pid), 0);
}

/** For whoever asks whether a commit was tested: what a whole run of a tier has found. */
function keepResult() {
  if (!isWhole) return;
  const git = (...args) => spawnSync('git', args, { cwd: root, encoding: 'utf8' });
  const head = git('rev-parse', 'HEAD');
  // Not in a repository, as in a copy of the tree.
  if (head.status !== 0) return;
  const result = {
    commit: head.stdout.trim(),
    clean: git('status', '--porcelain').stdout.trim() === '',
    command: all ? 'npm run test:all' : command,
    ...total,
    seconds: secondsSince(startedAt),
    at: new Date().toISOString(),
  };
  const folder = join(root, 'node_modules', '.cache', 'firebreak');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, all ? 'last-test-all.json' : 'last-test.json'), `${JSON.stringify(result)}\n`);
}

/** For anyone who wants to make the run shorter. For files that did not run it keeps their last cost. */
function keepCosts() {
  const file = join(root, 'node_modules', '.cache', 'firebreak', 'test-costs.json');
  mkdirSync(dirname(file), { recursive: true });
  const ran = new Set(costs.map((cost) => cost.file));
  costs.push(...earlierCosts(file).filter((cost) => !ran.has(cost.file) && existsSync(join(root, cost.file))));
  writeFileSync(file, JSON.stringify(sortedBy('cpuSeconds'), null, 1));
  return file;
}

/** Empty if there was no run, or if another one is writing. */
function earlierCosts(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return [];
  }
}

function inSeconds(ms) {
  return Math.round(ms / 1_000);
}

function secondsSince(time) {
  return Math.round((Date.now() - time) / 1_000);
}
