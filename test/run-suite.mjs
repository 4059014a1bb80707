/**
 * Runs test files under Jest and accounts for each of them: a file that did not run, or did not complete, has failed and is named. Nothing that it started
 * continues afterwards. Plain JavaScript, like run.mjs.
 */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';

/** How long processes that end with Jest have to do so by themselves. */
const endWithinMs = 10_000;

const lookEveryMs = 2_000;

/** A test, or a hook of its file, may take this long. Only what hangs takes longer. */
const longestTestMs = 120_000;

/** Jest ends a test that waits for ever. What blocks its process, or hangs between two tests, is ended after this much more without news. */
const graceMs = 60_000;

/**
 * Variables in the caller's environment that would change how the tests, or what they start, behave: output format and language, whom to connect to and as
 * whom, and extra behaviour of Node. What builds need to find packages stays.
 */
const notForTests = new RegExp(
  `^(${[
    'CI|GITHUB_.*|DEBUG|NO_COLOR|FORCE_COLOR|CLICOLOR.*|COLUMNS|LINES|LANG|LANGUAGE|LC_.*',
    'NODE_(?!EXTRA_CA_CERTS$).*|XDG_(?!CACHE_HOME$).*|GIT_(?!SSL_).*|COMPOSE_.*|EDITOR|VISUAL',
    'KUBECONFIG|KUBERNETES_.*|TEMPORAL_.*|PG.*|AWS_.*|VAULT_.*|OTEL_.*|SLACK_.*|FIREBREAK_(CONFIG|DEBUG|STATE_DIR|REPOSITORY)',
  ].join('|')})$`,
);

/** The environment of all tests, derived from that of the caller. */
export function environmentOfTests(given) {
  const kept = Object.fromEntries(Object.entries(given).filter(([name]) => !notForTests.test(name)));
  // The tests' servers are local; what builds fetch is not.
  const here = ['localhost', '127.0.0.1', '::1'];
  const proxied = Object.keys(kept).some((name) => /^https?_proxy$/i.test(name));
  const direct = [...(kept.no_proxy ?? kept.NO_PROXY ?? '').split(',').filter((host) => host !== ''), ...here].join();
  return { ...kept, LANG: 'C.UTF-8', TZ: 'UTC', ...(proxied && { no_proxy: direct, NO_PROXY: direct }) };
}

/**
 * Returns `{ passed, failed, skipped, skippedIn, notes, costs, cpuSeconds, failedIn, shortly }`; `failedIn` has for each failed file the number of its tests
 * that failed and passed, `shortly` a line for each failed test. `until`: milliseconds since 1970, after which Jest is ended; `signal` ends it at once.
 * `folder` is where the account is kept. `testMs`: the limit of a test. A file without news for longer has hung: it is ended, and the others go on.
 * `onProgress` is told now and then `{ done, failed }`, counted in files. `log`: a file for what Jest and the tests print; absent: it is shown.
 */
export async function runSuite({
  root,
  node,
  name,
  files,
  workers,
  testMs = longestTestMs,
  hungMs = testMs + graceMs,
  folder,
  env,
  until,
  signal,
  log,
  onProgress = () => undefined,
}) {
  const account = join(folder, `${name}.jsonl`);
  const doneIn = (lines) =>
    new Map(lines.filter(({ file }) => file !== undefined).map((line) => [relative(root, line.file), line]));
  const hung = new Set();
  const tell = () => {
    const done = [...doneIn(readAccount(account).lines).values()];
    onProgress({ done: done.length, failed: done.filter(({ failed, broken }) => failed > 0 || broken !== undefined).length });
  };
  let [code, ended] = [0, undefined];
  for (let rest = files; rest.length > 0; ) {
    const run = await runJest({ root, node, files: rest, workers, testMs, hungMs, account, env, until, signal, log, tell });
    ({ code, ended } = run);
    if (run.hung.length === 0) break;
    for (const file of run.hung) hung.add(file);
    // Whatever else was under way when Jest was ended begins again.
    const done = doneIn(readAccount(account).lines);
    rest = rest.filter((file) => !hung.has(file) && !done.has(file));
  }
  const { lines, complete } = readAccount(account);
  const result = {
    passed: 0,
    failed: 0,
    skipped: 0,
    skippedIn: [],
    notes: [],
    costs: [],
    cpuSeconds: 0,
    failedIn: [],
    shortly: [],
  };
  const done = doneIn(lines);
  const cpuMs = new Map(lines.flatMap((line) => (line.used === undefined ? [] : [[relative(root, line.used), line.cpuMs]])));
  const begun = new Set(lines.flatMap(({ begun: file }) => (file === undefined ? [] : [relative(root, file)])));
  for (const file of files) {
    const line = done.get(file);
    if (!line) {
      result.failed += 1;
      result.failedIn.push({ file, passed: 0, failed: 1 });
      const why = hung.has(file) ? `it hung: nothing came of it for ${hungMs / 1_000} s` : (ended ?? `jest ended with ${code}`);
      if (hung.has(file)) result.shortly.push(`${file}: ${why}`);
      result.notes.push(`${name}: ${file} ${begun.has(file) ? 'did not end' : 'did not run'}: ${why}`);
      continue;
    }
    result.passed += line.passed;
    result.failed += line.failed;
    result.skipped += line.skipped;
    const failed = line.failed + (line.broken === undefined ? 0 : 1);
    if (failed > 0) result.failedIn.push({ file, passed: line.passed, failed });
    if (line.skipped > 0) result.skippedIn.push(`${line.skipped} in ${file}`);
    for (const failure of line.failures) {
      result.notes.push(`${name}: ${file}: ${failure.name}: failed\n${beginning(failure.messages)}`);
      result.shortly.push(`${file}: ${failure.name}: ${inOneLine(failure.messages)}`);
    }
    if (line.broken === undefined) continue;
    result.failed += 1;
    result.notes.push(`${name}: ${file} could not be run\n${beginning([line.broken])}`);
    result.shortly.push(`${file}: could not be run: ${inOneLine([line.broken])}`);
  }
  // Anything else that went wrong, such as a tear-down for all files.
  if (result.failed === 0 && (code !== 0 || !complete)) {
    result.failed += 1;
    result.notes.push(`${name}: ${ended ?? `jest ended with ${code} though all tests passed`}`);
  }
  result.costs = [...done].map(([file, { seconds }]) => ({ file, seconds, cpuSeconds: inSeconds(cpuMs.get(file) ?? 0) }));
  result.cpuSeconds = inSeconds([...cpuMs.values()].reduce((sum, ms) => sum + ms, 0));
  return result;
}

/** The account of a suite whose failed files ran once more, alone. What failed twice has failed; anything else that failed once is named. */
export function afterAgain(first, again) {
  const files = first.failedIn.map(({ file }) => file);
  const twice = new Set(again.failedIn.map(({ file }) => file));
  const steady = first.failedIn.filter(({ file }) => twice.has(file));
  const sum = (lines, key) => lines.reduce((total, line) => total + line[key], 0);
  const unsteady = files.filter((file) => !twice.has(file));
  const notes = unsteady.map((file) => `${file}: unsteady: failed beside the others, and passed alone: mend it`);
  const before = sum(first.failedIn, 'passed');
  return {
    passed: first.passed - before + again.passed,
    failed: first.failed - sum(first.failedIn, 'failed') + again.failed,
    failedIn: steady,
    shortly: again.shortly,
    notes: [...first.notes, ...notes, ...again.notes],
    ...(unsteady.length > 0 && { why: [first.why, `unsteady: ${unsteady.join(', ')}`].filter(Boolean).join('; ') }),
  };
}

/** Returns how Jest ended, and which files were ended since nothing came of them any more. */
async function runJest({ root, node, files, workers, testMs, hungMs, account, env, until, signal, log, tell }) {
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  const reporter = new URL('./jest/account.mjs', import.meta.url).pathname;
  const { default: settings } = await import(join(root, 'jest.config.mjs'));
  const config = {
    ...settings,
    rootDir: root,
    testTimeout: testMs,
    reporters: [...(log === undefined ? ['default'] : []), [reporter, { file: account }]],
    testEnvironmentOptions: { account },
  };
  const preload = new URL('../service/launcher/with-parent.mjs', import.meta.url).href;
  const output = log === undefined ? 'inherit' : openSync(log, 'a');
  // A separate process group, so that it is ended with all its workers; the pipe ends it when this process is killed.
  const child = spawn(
    node,
    [
      ...['--import', preload, '--experimental-vm-modules', '--disable-warning=ExperimentalWarning', jest],
      ...['--config', JSON.stringify(config), '--maxWorkers', String(workers), '--runTestsByPath', ...files],
    ],
    {
      cwd: root,
      env: { ...env, FIREBREAK_PARENT_PIPE: '3', PATH: `${dirname(node)}:${env.PATH ?? ''}` },
      stdio: ['ignore', 'ignore', output, 'pipe'],
      detached: true,
    },
  );
  if (typeof output === 'number') closeSync(output);
  let ended;
  const end = (why) => {
    if (ended !== undefined) return;
    ended = why;
    endGroup(child.pid, 'SIGTERM');
    setTimeout(() => endGroup(child.pid, 'SIGKILL'), endWithinMs).unref();
  };
  const timer = setTimeout(() => end('the time for the whole run was over'), Math.max(0, until - Date.now()));
  const onAbort = () => end('the run was interrupted');
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  const over = new AbortController();
  let hung = [];
  const watching = watch({ root, account, files, hungMs, signal: over.signal, tell }).then((found) => {
    hung = found;
    if (found.length > 0) end('a file hung');
  });
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (exit, by) => resolve(exit ?? by));
  });
  over.abort();
  await watching;
  clearTimeout(timer);
  signal.removeEventListener('abort', onAbort);
  endGroup(child.pid, 'SIGKILL');
  return { code, ended, hung };
}

/** Resolves with the files of which nothing came for `hungMs`, or with none once `signal` is aborted. */
async function watch({ root, account, files, hungMs, signal, tell }) {
  const newsAt = new Map();
  for (let read = readAccount(account).lines.length; !signal.aborted; ) {
    await sleep(lookEveryMs, undefined, { signal }).catch(() => undefined);
    const { lines } = readAccount(account);
    for (const { begun, progress, file } of lines.slice(read)) {
      const one = begun ?? progress ?? file;
      if (one === undefined) continue;
      if (file === undefined) newsAt.set(relative(root, one), Date.now());
      else newsAt.delete(relative(root, one));
    }
    read = lines.length;
    tell();
    const hung = files.filter((file) => Date.now() - (newsAt.get(file) ?? Number.POSITIVE_INFINITY) > hungMs);
    if (hung.length > 0 && !signal.aborted) return hung;
  }
  return [];
}

function inSeconds(ms) {
  return Math.round(ms / 100) / 10;
}

function endGroup(pid, signal) {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // All of them have ended.
  }
}

/** Ignores a last line that was cut off by a kill. */
function readAccount(file) {
  if (!existsSync(file)) return { lines: [], complete: false };
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return [JSON.parse(line)];
      } catch {
        return [];
      }
    });
  return { lines, complete: lines.some(({ complete }) => complete === true) };
}

/** Enough to recognise a failure if the middle of a log is cut; the full text is above. */
function beginning(messages) {
  return linesOf(messages)
    .slice(0, 10)
    .map((line) => `    ${line.slice(0, 300)}`)
    .join('\n');
}

/** For readers who have only the last lines of a log. */
function inOneLine(messages) {
  return linesOf(messages)
    .map((line) => line.trim())
    .filter((line) => !line.startsWith('at '))
    .slice(0, 5)
    .join(' ')
    .replace(/^Error: expect\S+ \/\/ /, '')
    .slice(0, 200);
}

function linesOf(messages) {
  const lines = stripVTControlCharacters(messages.join('\n')).split('\n');
  return lines.filter((line) => line.trim() !== '');
}

/** Processes that have `name=value` in their environment, as `{ pid, parent, command }`; not this one. Linux only; elsewhere it finds none. */
export function processesWith(name, value) {
  if (!existsSync('/proc/self/environ')) return [];
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) return [];
    try {
      if (!readFileSync(`/proc/${entry}/environ`, 'utf8').split('\0').includes(`${name}=${value}`)) return [];
      const command = readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0').join(' ').trim();
      const [, parent] = /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${entry}/status`, 'utf8')) ?? [];
      return command === '' ? [] : [{ pid: Number(entry), parent: Number(parent), command }];
    } catch {
      return [];
    }
  });
}
