import { afterEach, expect, test } from '@jest/globals';
import proto from '@temporalio/proto';
import { RunnerProcess } from '../../../service/temporal/runner/runner-process.ts';

const { WorkflowActivation } = proto.coresdk.workflow_activation;
let runner: RunnerProcess;
afterEach(() => runner.close());

/** A stand-in for a bundle: a workflow whose whole code is `body`, and which returns the result of that. */
const bundleOf = (body: string) => `
globalThis.__webpack_module_cache__;
let said;
const bodies = { hostile: (run) => { 'use strict'; ${body} }, harmless: () => [1, 2, 3].filter((n) => n > 1).join() + typeof ({}).severity };
globalThis.__TEMPORAL__ = { api: { activate() {}, concludeActivation: () => ({ successful: {} }), initRuntime({ info }) {
  globalThis.__TEMPORAL_ACTIVATOR__ = {
    info, moduleCache: new Map(), promiseStackStore: { promiseToStack: { set: (_, made) => made.madeAt(), delete() {} }, childToParent: new Map() },
    mutateWorkflowInfo() {}, getAndResetSinkCalls: () => [{ ifaceName: 'said', fnName: globalThis.said, args: [] }],
  };
  globalThis.said = String(bodies[info.runId]());
} } };`;

const silent = () => {};
const logger = { log: silent, trace: silent, debug: silent, info: silent, warn: silent, error: silent };

/** Runs the hostile body and then a harmless one in the runner; returns what they return. */
async function runBoth(body: string): Promise<readonly string[]> {
  const sourceMap = { version: 3, sources: [], names: [], mappings: '' } as never;
  const workflowBundle = { code: bundleOf(body), filename: 'workflows.js', sourceMap };
  runner = new RunnerProcess({ workflowBundle, isolateExecutionTimeoutMs: 5_000, registeredActivityNames: new Set() }, logger);
  await runner.started;
  const said: string[] = [];
  const activation = WorkflowActivation.encode({ jobs: [{ queryWorkflow: {} }] }).finish();
  for (const runId of ['hostile', 'harmless']) {
    await runner.send({ kind: 'create', options: { info: { runId } } as never });
    const { sinks } = await runner.send({ kind: 'activate', runId, activation });
    said.push(...(sinks as readonly (readonly [string, string])[]).map(([, text]) => text));
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
])('a promise %s does not end the runner of all incidents', async (_, body) => {
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
    'globalThis.constructor.prototype.severity = 1',
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

/** Goes through all that a body can reach, and returns the ways that lead to an object which is not of its sandbox. */
const foreignWays = `const ways = []; const seen = new Set([null, undefined]); const next = [['globalThis', globalThis]];
  const look = (way, one) => { if ((typeof one === 'object' || typeof one === 'function') && !seen.has(one)) { seen.add(one); next.push([way, one]); } };
  const thrown = (way, work) => { try { look(way, work()); } catch (error) { look(way + ' throws', error); } };
  const errors = [];
  const deeper = (work) => { try { work(); deeper(work); } catch (error) { errors.push(error); } };
  for (const make of [() => new TextEncoder().encode(Symbol()), () => new AsyncLocalStorage().run(1, () => { throw 1; }), () => new AsyncLocalStorage().run(1, 1),
    () => deeper(() => new TextEncoder().encode('x')), () => deeper(() => new AsyncLocalStorage()), () => new TextEncoder().encode('x'), () => console.log(1n), () => console.log(new Proxy({}, {}))])
    thrown(String(make), make);
  look('without room on the stack', errors);
  for (let found; (found = next.pop());) {
    const [way, one] = found;
    let root = one;
    for (let above; (above = Object.getPrototypeOf(root)) !== null;) root = above;
    if (root !== Object.prototype && root !== one) { ways.push(way); continue; }
    look(way + '.__proto__', Object.getPrototypeOf(one));
    for (const key of Reflect.ownKeys(one)) {
      const { value, get, set } = Object.getOwnPropertyDescriptor(one, key) ?? {};
      for (const [kind, part] of Object.entries({ value, get, set })) look(way + '.' + String(key) + (kind === 'value' ? '' : ' ' + kind), part);
      thrown(way + '.' + String(key), () => one[key]);
    }
    if (one instanceof Map || one instanceof Set) for (const part of one.values()) look(way + ' holds', part);
  }
  return [ways.join(' | '), seen.size > 500];`;

test('nothing that a body can reach is an object of the host', async () => {
  expect(await runBoth(foreignWays)).toEqual([',true', '2,3undefined']);
});

test.each(['AbortController', 'AbortSignal', 'URL', 'assert', 'WebAssembly', 'process', 'Buffer', 'MessageChannel'])(
  'there is no %s in the sandbox',
  async (name) => {
    expect(await runBoth(`try { return typeof ${name}; } catch { return 'undefined'; }`)).toEqual(['undefined', '2,3undefined']);
  },
);
