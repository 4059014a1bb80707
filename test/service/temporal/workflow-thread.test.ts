import { join } from 'node:path';
import { Worker as Thread } from 'node:worker_threads';
import { afterEach, expect, test } from '@jest/globals';

const program = join(import.meta.dirname, '../../../service/temporal/workflow-thread.ts');
let thread: Thread;
afterEach(() => thread.terminate());

/** A stand-in for a bundle: a workflow whose whole code is `body`, and which returns the result of that. */
const bundleOf = (body: string) => `
globalThis.__webpack_module_cache__;
let said;
const bodies = { hostile: (run) => { 'use strict'; ${body} }, harmless: () => [1, 2, 3].filter((n) => n > 1).join() + typeof ({}).severity };
globalThis.__TEMPORAL__ = { api: { initRuntime({ info }) {
  globalThis.__TEMPORAL_ACTIVATOR__ = {
    info, moduleCache: new Map(), promiseStackStore: { promiseToStack: { set: (_, made) => made.madeAt(), delete() {} }, childToParent: new Map() },
    getAndResetSinkCalls: () => [{ workflowInfo: { unsafe: {} }, said: globalThis.said }],
  };
  globalThis.said = String(bodies[info.runId]());
} } };`;

/** Runs the hostile body and then a harmless one in the thread; returns what they return. */
async function runBoth(body: string): Promise<readonly string[]> {
  thread = new Thread(program);
  const ended = new Promise<never>((_, reject) => {
    thread.once('error', reject);
  });
  ended.catch(() => {});
  const answers = new Map<number, (answer: { readonly result: { readonly output?: unknown } }) => void>();
  thread.on('message', (answer) => answers.get(answer.requestId)?.(answer));
  let requestId = 0;
  const send = (input: object) => {
    requestId += 1;
    const answer = new Promise<{ readonly result: { readonly output?: unknown } }>((resolve) => answers.set(requestId, resolve));
    thread.postMessage({ requestId, input });
    return Promise.race([answer, ended]);
  };
  const sourceMap = { version: 3, sources: [], names: [], mappings: '' };
  const workflowBundle = { code: bundleOf(body), filename: 'workflows.js', sourceMap };
  const parts = { workflowBundle, isolateExecutionTimeoutMs: 5_000, reuseV8Context: true, registeredActivityNames: new Set() };
  expect(await send({ type: 'init', ...parts })).toMatchObject({ result: { type: 'ok' } });
  const said: string[] = [];
  for (const runId of ['hostile', 'harmless']) {
    expect(await send({ type: 'create-workflow', options: { info: { runId } } })).toMatchObject({ result: { type: 'ok' } });
    const { result } = await send({ type: 'extract-sink-calls', runId });
    const { calls } = result.output as { readonly calls: readonly { readonly said: string }[] };
    said.push(...calls.map((call) => call.said));
  }
  return said;
}

const attempts = (...tries: readonly string[]) =>
  `return [${tries.map((attempt) => `() => ${attempt}`).join(', ')}].map((one) => { try { return String(one()); } catch { return '-'; } });`;
const throwing = "{ get() { throw new Error('hostile'); } }";

test.each([
  [
    'whose class throws',
    `class P extends Promise {} Object.defineProperty(P.prototype, 'constructor', ${throwing}); new P(() => {});`,
  ],
  [
    'of a class without a prototype',
    `Reflect.construct(Promise, [() => {}], Object.assign(function () {}, { prototype: null }));`,
  ],
  [
    'whose class is a proxy',
    `const kind = new Proxy(function () {}, { get: (on, key) => key === 'prototype' ? new Proxy(Promise.prototype, { get() { throw new Error('hostile'); }, getPrototypeOf() { throw new Error('hostile'); } }) : on[key] }); Reflect.construct(Promise, [() => {}], kind);`,
  ],
  [
    'that settles after it was made to throw at everybody',
    `const { promise, resolve } = Promise.withResolvers(); Object.defineProperty(promise, 'constructor', ${throwing}); resolve();`,
  ],
  [
    'that rejects unhandled and throws at whoever looks at it',
    `const { promise, reject } = Promise.withResolvers(); Object.defineProperty(promise, 'constructor', ${throwing}); reject({ toString() { throw new Error('hostile'); } });`,
  ],
])('a promise %s does not end the thread of all incidents', async (_, body) => {
  expect(await runBoth(`${body} return 'made';`)).toEqual(['made', '2,3undefined']);
});

test('what all incidents share cannot be changed for others', async () => {
  const changes = [
    "Object.defineProperty(Promise.prototype, 'constructor', { value: undefined })",
    'Promise.prototype.then = () => {}',
    'Array.prototype.filter = () => []',
    "Object.prototype.severity = 'critical'",
    "Object.prototype.toString = () => ''",
    'Object.setPrototypeOf(Map.prototype, {})',
    'Date.prototype.getTime = () => 0',
    'AsyncLocalStorage.prototype.run = () => {}',
    'TextEncoder.prototype.encode = () => {}',
    'Object.getPrototypeOf(TextEncoder).call = () => {}',
    'Object.getPrototypeOf(TextEncoder.prototype).severity = 1',
  ];
  const [said, after] = await runBoth(attempts(...changes));
  expect(said).toBe(changes.map(() => '-').join());
  expect(after).toBe('2,3undefined');
});

test('an object keeps a property of its own with a shared name', async () => {
  const own = `class Own extends Error { constructor(text) { super(text); this.name = 'Own'; } }
    const kind = function () {}; kind.toString = () => 'kind'; const one = {}; one.constructor = 1;
    return [new Own('said'), kind, Object.keys(one), /\\n +at /.test(new Own('said').stack)].map(String);`;
  expect(await runBoth(own)).toEqual(['Own: said,kind,constructor,true', '2,3undefined']);
});

test('no code can be made from strings, not even with what the sandbox is given', async () => {
  const makers = [
    '[].filter',
    'TextEncoder',
    'AbortController',
    'URL',
    'AsyncLocalStorage',
    'assert',
    'console.log',
    'async () => {}',
    'function* () {}',
  ];
  const [said] = await runBoth(
    attempts(...makers.map((maker) => `(${maker}).constructor('return typeof process')()`), "(0, eval)('1')"),
  );
  expect(said).toBe([...makers, 'eval'].map(() => '-').join());
});
