import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, test } from '@jest/globals';
import proto from '@temporalio/proto';
import { haltedRuns } from '../../../service/temporal/runner/halted-runs.ts';
import { RunnerCreator } from '../../../service/temporal/runner/runner-creator.ts';
import { RunnerEnded, RunnerProcess, runnerFlags } from '../../../service/temporal/runner/runner-process.ts';
import { eventually } from '../../eventually.ts';

const toClose: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of toClose.splice(0)) await close();
});

const root = join(import.meta.dirname, '../../..');
const lines: string[] = [];
const note = (message: string): void => void lines.push(message);
const logger = { log: note, trace: note, debug: note, info: note, warn: note, error: note };

/** A stand-in for a bundle: what `body` does with a run happens as it is created. */
const bundleOf = (body: string) => ({
  workflowBundle: {
    code: `let runs = 0; globalThis.__webpack_module_cache__; globalThis.__TEMPORAL__ = { api: { dispose() {}, initRuntime({ info }) {
      globalThis.__TEMPORAL_ACTIVATOR__ = { info, moduleCache: new Map(), getAndResetSinkCalls: () => [], promiseStackStore: { promiseToStack: { set() {}, delete() {} }, childToParent: new Map() } };
      runs += 1;
      ${body}
    } } };`,
    filename: 'workflows.js',
    sourceMap: { version: 3, sources: [], names: [], mappings: '' } as never,
  },
  isolateExecutionTimeoutMs: 60_000,
  registeredActivityNames: new Set<string>(),
});
const runOf = (runId: string) => ({ info: { runId, workflowId: `incident/${runId}`, unsafe: {} } }) as never;

async function runnerOf(body: string): Promise<RunnerProcess> {
  const runner = new RunnerProcess(bundleOf(body), logger);
  toClose.push(() => runner.close());
  await runner.started;
  return runner;
}
const create = (runner: RunnerProcess, runId = 'one') =>
  runner.send({ kind: 'create', options: runOf(runId) }).catch((error: unknown) => error);

test('the process has no environment of the cell’s, no inspector and no right but to read Firebreak’s program', async () => {
  process.env.FIREBREAK_OF_THE_CELL = 'secret-of-the-cell';
  toClose.push(() => delete process.env.FIREBREAK_OF_THE_CELL);
  const { pid } = await runnerOf('');
  expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toMatch(/secret-of-the-cell|PATH|HOME|FIREBREAK/);
  const flags = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  expect(flags).toEqual(expect.arrayContaining(['--permission', '--disable-sigusr1', '--no-addons']));
  expect(flags.filter((flag) => /^--allow-(?!fs-read)/.test(flag))).toEqual([]);
});

/** What code could try that has left the sandbox, and holds every module of Node that was loaded before its process was confined. */
const attempts = {
  'a key file': 'modules.fs.readFileSync(given.file)',
  'its environment by /proc': "modules.fs.readFileSync('/proc/self/environ')",
  'the environment of the cell by /proc': "modules.fs.readFileSync('/proc/' + process.ppid + '/environ')",
  'the folder of the keys': 'modules.fs.readdirSync(given.folder)',
  'writing a file': "modules.fs.writeFileSync(given.file, 'x')",
  'another program': "modules.child.execFileSync('/bin/true')",
  'a thread': "new modules.threads.Worker('1', { eval: true })",
  'an inspector': 'modules.inspector.open(0)',
  'a connection': "modules.net.connect(given.port, '127.0.0.1')",
  'a module of Node': "process.getBuiltinModule('node:fs').readFileSync",
  'an addon': "process.dlopen({ exports: {} }, '/x.node')",
  'a signal to the cell': 'process.kill(process.ppid, 0)',
} as const;

test.each(Object.entries(attempts))('code that has left the sandbox does not get %s', async (_, attempt) => {
  const folder = mkdtempSync(join(tmpdir(), 'fb-keys-'));
  toClose.push(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'codec.key');
  writeFileSync(file, 'secret-of-the-cell');
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.end();
  });
  toClose.push(() => new Promise((closed) => server.close(closed)));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const port = (server.address() as { readonly port: number }).port;
  const script = `
    const get = process.getBuiltinModule;
    const modules = { fs: get('fs'), child: get('child_process'), threads: get('worker_threads'), inspector: get('inspector'), net: get('net') };
    const given = ${JSON.stringify({ folder, file, port })};
    const { confineProcess } = await import(${JSON.stringify(join(root, 'service/packs/confine.ts'))});
    confineProcess();
    try { const got = ${attempt}; console.log('GOT ' + String(got)); } catch (error) { console.log('REFUSED ' + (error.code ?? error.name)); }`;
  const running = promisify(execFile)(process.execPath, [...runnerFlags(), '--input-type=module', '-e', script], { env: {} });
  expect((await running).stdout).toMatch(/^REFUSED /);
  expect([readFileSync(file, 'utf8'), connections]).toEqual(['secret-of-the-cell', 0]);
});

const takesAllMemory = 'const all = []; for (;;) all.push(new Array(1_000_000).fill(1.5));';
const takesAllBuffers = 'const all = []; for (;;) all.push(new Uint8Array(8_000_000).fill(1));';
const tookTooMuch = /it took more than 576 MB of memory/;

test.each([
  ['objects', takesAllMemory, /^.*(SIGABRT|SIGTRAP|SIGILL)/],
  ['buffers', takesAllBuffers, tookTooMuch],
  ['shared buffers', 'const all = []; for (;;) all.push(new Uint8Array(new SharedArrayBuffer(8_000_000)).fill(1));', tookTooMuch],
  ['one large buffer', 'new Uint8Array(6e9).fill(1); for (;;);', tookTooMuch],
])('a body that takes all memory for %s ends its runner, and nothing else', async (_, body, reason) => {
  const error = await create(await runnerOf(body));
  expect(error).toBeInstanceOf(RunnerEnded);
  expect(error).toMatchObject({ isOwn: true, message: expect.stringMatching(reason) });
});

test.each([
  ['wants an assertion of the host to fail', 'assert.rejects(() => {});'],
  [
    'wants a callback of the host to throw',
    "const own = new AbortController(); own.signal.addEventListener('abort', () => { throw new Error('in a callback'); }); own.abort();",
  ],
  ['wants the host to wait', 'AbortSignal.timeout(1);'],
  ['drops a promise', "Promise.reject(new Error('dropped'));"],
  [
    'prepares stacks',
    "Error.prepareStackTrace = () => { throw new Error('prepared'); }; try { null.x; } catch (error) { String(error.stack); }",
  ],
  [
    'prints what throws at whoever reads it',
    "console.log(new Proxy({}, { get() { throw new Error('read'); }, ownKeys() { throw new Error('read'); } }));",
  ],
  [
    'calls into the host without room on the stack',
    'const deeper = () => { new TextEncoder().encode("x"); deeper(); }; deeper();',
  ],
])('a body that %s does not even end its runner', async (_, body) => {
  const runner = await runnerOf(`if (info.runId === 'hostile') { ${body} }`);
  await create(runner, 'hostile');
  expect(await create(runner, 'harmless')).toMatchObject({ bytes: expect.anything() });
});

test('what a body prints is one text of a log line, cut and limited', async () => {
  lines.length = 0;
  const forged = JSON.stringify({ level: 'info', msg: 'all is well' });
  await create(await runnerOf(`for (let at = 0; at < 500; at += 1) console.log(at === 0 ? '${forged}' : 'x'.repeat(9_000));`));
  const printed = await eventually('the limit', () =>
    lines.some((line) => line.includes('further lines')) ? [...lines] : undefined,
  );
  expect(printed[0]).toContain('a playbook runner printed: ');
  expect(printed[0]).toContain(forged);
  expect(printed.length).toBeLessThanOrEqual(60);
  expect(Math.max(...printed.map((line) => line.length))).toBeLessThan(700);
});

test('the kernel ends a runner first if memory runs out', async () => {
  const { pid } = await runnerOf('');
  expect(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim()).toBe('1000');
});

test('a run that is tried alone gives way to another one while it rests, and goes on later', async () => {
  // Each of them ends a runner that it shares, and none that it has for itself.
  const creator = await RunnerCreator.started(bundleOf(`if (runs > 1) { ${takesAllBuffers} }`), logger);
  toClose.push(() => creator.destroy());
  const task = async (runId: string) => {
    const workflow = await creator.createWorkflow(runOf(runId));
    const next = async (): Promise<string> => {
      const activation = proto.coresdk.workflow_activation.WorkflowActivation.create({ runId, jobs: [] });
      return (await workflow.activate(activation)).failed?.failure?.message ?? '';
    };
    return { first: await next(), next, dispose: () => workflow.dispose() };
  };
  const [one, two, three] = ['one', 'two', 'three'];
  for (const runId of [one, two, three]) {
    await (await task('harmless')).dispose();
    const { first, dispose } = await task(runId);
    expect(first).toMatch(tookTooMuch);
    await dispose();
  }
  const alone = [await task(one), await task(two), await task(three)];
  for (const { first } of alone) expect(first).not.toMatch(/has ended|set aside|too many/);
  // Its place was taken. Temporal sends its history again.
  expect(await alone[0]?.next()).toMatch(/has ended: it was closed/);
  await alone[0]?.dispose();
  expect((await task(one)).first).not.toMatch(/has ended|set aside|too many/);
});

test('a run that ends its runner twice is set aside, and others go on in a new one', async () => {
  lines.length = 0;
  const creator = await RunnerCreator.started(bundleOf(`if (info.runId === 'hostile') { ${takesAllMemory} }`), logger);
  toClose.push(() => creator.destroy());
  const failureOf = async (runId: string): Promise<string> => {
    const workflow = await creator.createWorkflow(runOf(runId));
    const { failed } = await workflow.activate(proto.coresdk.workflow_activation.WorkflowActivation.create({ runId, jobs: [] }));
    await workflow.dispose();
    return failed?.failure?.message ?? '';
  };
  expect(await failureOf('hostile')).toMatch(/the playbook runner has ended/);
  expect(await failureOf('hostile')).toMatch(/the playbook runner has ended/);
  expect(await failureOf('hostile')).toMatch(/is set aside/);
  expect(lines.filter((line) => line.includes('is set aside'))).toHaveLength(1);
  expect(haltedRuns.untold()).toMatchObject([{ run: 'hostile', why: expect.stringMatching(/./) }]);
  // It is created and then does not know what to do: this bundle has no workflow.
  expect(await failureOf('harmless')).not.toMatch(/has ended|set aside/);
});
