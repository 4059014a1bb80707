import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { projectRoot } from '../../service/process/project-root.ts';
import { eventually } from '../eventually.ts';
import { cpuMsUsed } from '../jest/cpu-used.mjs';
import { afterAgain, environmentOfTests, processesWith, runSuite } from '../run-suite.mjs';
import { suites } from '../suites.mjs';

const root = mkdtempSync(join(tmpdir(), 'firebreak-runner-'));
mkdirSync(join(root, 'test'));
symlinkSync(join(projectRoot(), 'node_modules'), join(root, 'node_modules'));
copyFileSync(join(projectRoot(), 'jest.config.mjs'), join(root, 'jest.config.mjs'));
symlinkSync(join(projectRoot(), 'test', 'jest'), join(root, 'test', 'jest'));
writeFileSync(join(root, 'package.json'), '{ "type": "module" }');
afterAll(() => rmSync(root, { recursive: true, force: true }));

const head = `import { expect, it } from '@jest/globals';\n`;
const files = {
  passes: 'it("holds", () => expect(1).toBe(1)); it.skip("waits", () => {});',
  fails: 'it("does not hold", () => expect(1).toBe(2));',
  unsteady: `import { existsSync, writeFileSync } from 'node:fs'; it('holds the second time', () => { const was = existsSync('once'); writeFileSync('once', ''); expect(was).toBe(true); });`,
  throws: 'throw new Error("cannot be loaded");',
  crashes: 'it("takes the process down", () => process.kill(process.pid, "SIGKILL"));',
  waits: 'it("waits", () => new Promise(() => {})); it("holds", () => expect(1).toBe(1));',
  blocks: 'it("never returns", () => { for (;;); });',
  hangs:
    'import { spawn } from "node:child_process"; it("never ends", () => { spawn("sleep", ["600"], { stdio: "ignore" }); return new Promise(() => {}); }, 600_000);',
};
for (const [name, text] of Object.entries(files)) writeFileSync(join(root, 'test', `${name}.test.ts`), `${head}${text}\n`);

async function run(
  names: readonly (keyof typeof files)[],
  { afterMs = 600_000, hungMs = 60_000, mark = randomUUID(), signal = new AbortController().signal } = {},
) {
  const folder = mkdtempSync(join(root, 'account-'));
  return runSuite({
    root,
    node: process.execPath,
    name: 'some',
    files: names.map((name) => `test/${name}.test.ts`),
    workers: 1,
    hungMs,
    folder,
    env: { ...process.env, FIREBREAK_TEST_MARK: mark },
    until: Date.now() + afterMs,
    signal,
    log: join(folder, 'log'),
  });
}

describe('the environment of the tests', () => {
  it('is the same on every machine, except for where programs, packages and caches are', () => {
    const same = {
      PATH: '/usr/bin',
      HOME: '/root',
      XDG_CACHE_HOME: '/cache',
      FIREBREAK_CACHE: '/parts',
      npm_config_registry: 'https://npm.example',
    };
    const odd = {
      ...{
        CI: 'true',
        NO_COLOR: '1',
        FORCE_COLOR: '3',
        COLUMNS: '40',
        LANG: 'tr_TR.UTF-8',
        LC_ALL: 'tr_TR.UTF-8',
        TZ: 'Pacific/Auckland',
      },
      ...{
        NODE_OPTIONS: '--no-warnings',
        XDG_CONFIG_HOME: '/home/ada',
        KUBECONFIG: '/home/ada/kube',
        TEMPORAL_ADDRESS: 'temporal:7233',
      },
      ...{ PGHOST: 'db', AWS_PROFILE: 'prod', GIT_DIR: '/work/.git', FIREBREAK_CONFIG: '/etc/firebreak.yaml' },
    };
    expect(environmentOfTests({ ...same, ...odd })).toEqual({ ...same, LANG: 'C.UTF-8', TZ: 'UTC' });
  });

  it('has no proxy for servers of this machine', () => {
    const direct = 'corp.example,localhost,127.0.0.1,::1';
    expect(environmentOfTests({ https_proxy: 'http://proxy:3128', NO_PROXY: 'corp.example' })).toMatchObject({
      https_proxy: 'http://proxy:3128',
      no_proxy: direct,
      NO_PROXY: direct,
    });
  });
});

describe('a suite', () => {
  it('adds up what passed, failed and was skipped, and names what failed', async () => {
    const result = await run(['passes', 'fails']);
    expect(result).toMatchObject({ passed: 1, failed: 1, skipped: 1 });
    expect(result.notes).toEqual([expect.stringMatching(/^some: test\/fails\.test\.ts: does not hold: failed\n/)]);
    expect(result.shortly).toEqual([expect.stringMatching(/^test\/fails\.test\.ts: does not hold: .*Expected: 2 Received: 1$/)]);
  });

  it('counts what passes on its own the second time as passed, and names it; what fails twice has failed', async () => {
    const first = await run(['passes', 'unsteady', 'fails']);
    expect(first).toMatchObject({
      passed: 1,
      failed: 2,
      failedIn: [{ file: 'test/unsteady.test.ts' }, { file: 'test/fails.test.ts' }],
    });
    const again = await run(['unsteady', 'fails']);
    const whole = afterAgain(first, again);
    expect(whole).toMatchObject({ passed: 2, failed: 1, why: 'unsteady: test/unsteady.test.ts' });
    expect(whole.shortly).toEqual([expect.stringMatching(/^test\/fails\.test\.ts: /)]);
    expect(whole.notes).toContainEqual(expect.stringMatching(/^test\/unsteady\.test\.ts: unsteady/));
    expect(whole.notes).toContainEqual(expect.stringMatching(/^some: test\/unsteady\.test\.ts: holds the second time: failed\n/));
  });

  it('reports the CPU time of each file', async () => {
    const { costs, cpuSeconds } = await run(['passes', 'fails']);
    expect(costs.map(({ file }) => file).sort()).toEqual(['test/fails.test.ts', 'test/passes.test.ts']);
    expect(cpuSeconds).toBeGreaterThan(0);
  });

  it('counts a file that cannot be loaded as failed, and says why', async () => {
    const result = await run(['passes', 'throws']);
    expect(result).toMatchObject({ passed: 1, failed: 1 });
    expect(result.notes.join('\n')).toMatch(/some: test\/throws\.test\.ts could not be run\n.*cannot be loaded/s);
  });

  it('counts each file that did not run as failed when Jest itself ends', async () => {
    const result = await run(['crashes']);
    expect(result).toMatchObject({ passed: 0, failed: 1 });
    expect(result.notes).toEqual([expect.stringContaining('test/crashes.test.ts did not end: jest ended with SIGKILL')]);
  });

  it('goes on without a file that blocks its process, which is ended and named', async () => {
    const result = await run(['blocks', 'passes', 'fails'], { hungMs: 5_000 });
    expect(result).toMatchObject({
      passed: 1,
      failed: 2,
      failedIn: [{ file: 'test/blocks.test.ts' }, { file: 'test/fails.test.ts' }],
    });
    expect(result.notes).toContainEqual('some: test/blocks.test.ts did not end: it hung: nothing came of it for 5 s');
  });

  it('ends a test that waits for ever at its limit', async () => {
    const folder = mkdtempSync(join(root, 'account-'));
    const result = await runSuite({
      ...{ root, node: process.execPath, name: 'some', files: ['test/waits.test.ts'], workers: 1, testMs: 1_000, folder },
      ...{ env: process.env, until: Date.now() + 600_000, signal: new AbortController().signal, log: join(folder, 'log') },
    });
    expect(result).toMatchObject({ passed: 1, failed: 1 });
    expect(result.shortly.join()).toMatch(/^test\/waits\.test\.ts: waits: .*Exceeded timeout of 1000 ms/);
  });

  it('is stopped with everything it started when its time is up, and counts what it left out', async () => {
    const mark = randomUUID();
    const began = new AbortController();
    const running = run(['hangs', 'passes'], { mark, signal: began.signal });
    const has = (command: string): boolean =>
      processesWith('FIREBREAK_TEST_MARK', mark).some((process) => process.command.startsWith(command));
    await eventually('the hanging test and what it started', () => has('sleep 600'));
    began.abort();
    const result = await running;
    expect(result.failed).toBe(2);
    expect(result.notes).toContainEqual('some: test/hangs.test.ts did not end: the run was interrupted');
    expect(result.notes.find((note) => note.includes('passes'))).toMatch(/did not (run|end): the run was interrupted/);
    await eventually('the end of all of it', () => processesWith('FIREBREAK_TEST_MARK', mark).length === 0);
  });

  it('does not start what it has no time left for', async () => {
    const result = await run(['passes'], { afterMs: -1 });
    expect(result).toMatchObject({
      passed: 0,
      failed: 1,
      notes: ['some: test/passes.test.ts did not run: the time for the whole run was over'],
    });
  });
});

it('suites that share the servers of a run never run side by side: their workers have the same ones', () => {
  const sharing = suites.filter(({ platform }) => platform);
  expect(sharing.length).toBeGreaterThan(1);
  expect(new Set(sharing.map(({ lane }) => lane))).toEqual(new Set(['platform']));
});

(existsSync('/proc/self/stat') ? it : it.skip)('processor time has that of the processes that have ended', () => {
  const before = cpuMsUsed();
  const work = 'while (process.cpuUsage().user < 300_000) for (let i = 0; i < 1e6; i += 1);';
  expect(spawnSync(process.execPath, ['-e', work]).status).toBe(0);
  expect(cpuMsUsed() - before).toBeGreaterThanOrEqual(300);
});
