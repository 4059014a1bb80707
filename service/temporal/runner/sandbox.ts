/**
 * The sandbox in which a playbook runner runs workflows. It does what the SDK's does, with two things made cheaper that the SDK does all the time:
 *
 * - For each promise the SDK formats the ten frames that made it, through the source map. Here only the one frame that people care about is looked up, and
 *   only for promises made by an author's code. This took a third of the thread's time.
 * - For each of the three to five calls of a task the SDK starts and ends a thread that watches the time: 0.1 ms of CPU, and 2 ms of wall time if CPU
 *   is scarce. Here one thread watches the whole task.
 *
 * And an author's promise is only compared by identity: reading its class may throw, which would end this thread, and all incidents with it.
 */
import { promiseHooks } from 'node:v8';
import vm, { Script } from 'node:vm';
import type { coresdk } from '@temporalio/proto';
import { UnhandledRejectionError } from '@temporalio/worker/lib/errors.js';
import { ReusableVMWorkflowCreator } from '@temporalio/worker/lib/workflow/reusable-vm.js';
import { BaseVMWorkflow, globalHandlers } from '@temporalio/worker/lib/workflow/vm-shared.js';
import type { StackTraceFileLocation } from '@temporalio/workflow';
import type { Activator } from '@temporalio/workflow/lib/internals.js';
import type { RunnerBundle } from './messages.ts';

type Completion = coresdk.workflow_completion.IWorkflowActivationCompletion;

// The SDK installs its own once, when the first bundle is loaded.
globalHandlers.installed = true;
globalHandlers.promiseHookInstalled = true;

const ownError = Error;
const prepareOwn = Error.prepareStackTrace;
Error.prepareStackTrace = (error, frames) => {
  if (error instanceof Making) return frames;
  if (prepareOwn && error.constructor === ownError) return prepareOwn(error, frames);
  return [String(error), ...frames.map((frame) => lineOf(frame))].join('\n');
};

/** Captures the stack while a promise is being made. */
class Making {
  declare readonly stack: readonly NodeJS.CallSite[];

  constructor() {
    Error.captureStackTrace(this, init);
  }
}

/**
 * Where the author's source made a promise, for the listener notified of it. Frames are not kept: they would keep alive everything their functions refer to,
 * such as data from earlier tasks.
 */
class Made {
  #at: string | undefined;

  /** File and line, while it is being made; undefined if the engine makes it and not an author's code. */
  madeAt(): string | undefined {
    const frame = new Making().stack.find((one) => one.getFileName());
    const { source, line } = (frame && sourceOf(frame)) ?? {};
    this.#at = source ? `${source}:${line}` : undefined;
    return this.#at;
  }

  /** In the form in which Temporal's own tools show where a workflow waits. */
  get formatted(): string {
    return this.#at === undefined ? '' : `    at ${this.#at}`;
  }

  get structured(): StackTraceFileLocation[] {
    const [file = '', line] = this.#at?.split(':') ?? [];
    return this.#at === undefined ? [] : [{ file_path: file, line: Number(line), internal_code: false }];
  }
}

function init(promise: Promise<unknown>, parent: Promise<unknown>): void {
  const activator = activatorOf(promise);
  if (!activator || promise === parent) return;
  const { promiseToStack, childToParent } = activator.promiseStackStore;
  promiseToStack.set(promise, new Made());
  childToParent.set(promise, new Set(parent ? [parent] : []));
}

/** For the workflow that runs in the sandbox, which all workflows of this thread share. */
let runningActivator: () => Activator | undefined = () => undefined;

const ownPromises = Promise.prototype;

function activatorOf(promise: Promise<unknown>): Activator | undefined {
  return Object.getPrototypeOf(promise) === ownPromises ? undefined : runningActivator();
}

const { createContext } = vm;
vm.createContext = (sandbox, options) => createContext(sandbox, { ...options, codeGeneration: { strings: false, wasm: true } });

// The SDK passes this thread's own functions to the sandbox: code that has one must not be able to create others that reach what the thread can reach.
for (const kind of [() => {}, async () => {}, function* () {}, async function* () {}])
  Object.defineProperty(Object.getPrototypeOf(kind), 'constructor', { value: madeOfText, writable: false, configurable: false });

function madeOfText(): never {
  throw new EvalError('code cannot be generated from strings here');
}

/**
 * Freezes what all workflows of this thread share: otherwise an author could change it for others. For widely inherited prototypes, derived objects may still
 * define their own property of the same name.
 */
const keepShared = new Script(`(() => {
  const { defineProperty, freeze, getOwnPropertyDescriptor, getPrototypeOf, isFrozen } = Object;
  const { ownKeys } = Reflect;
  const given = (kind, key) => {
    const { value, writable, configurable } = getOwnPropertyDescriptor(kind, key);
    if (!writable || !configurable) return;
    const set = function (own) {
      if (this === kind) throw new TypeError('what all playbooks share cannot be changed');
      defineProperty(this, key, { value: own, writable: true, enumerable: true, configurable: true });
    };
    defineProperty(kind, key, { get: () => value, set });
  };
  const keep = (kind) => {
    for (; kind && !isFrozen(kind); kind = getPrototypeOf(kind)) {
      // Properties of a class itself, such as the stack trace limit, are read by V8 as they were defined; the SDK freezes the sandbox's.
      if (typeof kind === 'function' && getOwnPropertyDescriptor(kind, 'prototype')) continue;
      const isWide = typeof kind === 'function' || getPrototypeOf(kind) === null || getOwnPropertyDescriptor(kind, 'message');
      if (isWide) for (const key of ownKeys(kind)) given(kind, key);
      freeze(kind);
    }
  };
  const unnamed = [async () => {}, function* () {}, async function* () {}, [].values(), new Map().values(), new Set().values(), ''.matchAll(/x/g), ''[Symbol.iterator]()];
  for (const one of unnamed) keep(getPrototypeOf(one));
  for (const name of ownKeys(globalThis)) {
    const { value } = getOwnPropertyDescriptor(globalThis, name);
    // Matching takes seven times as long if its prototype was modified.
    if (typeof value !== 'function' || name === 'RegExp') continue;
    keep(getPrototypeOf(value));
    if (typeof value.prototype === 'object') keep(value.prototype);
  }
  return () => globalThis.__TEMPORAL_ACTIVATOR__;
})()`);

class SharedSandbox extends ReusableVMWorkflowCreator {
  protected override injectGlobals(context: vm.Context): void {
    super.injectGlobals(context);
    runningActivator = keepShared.runInContext(context);
  }
}
/** The run whose task is being done; the runner does one at a time. */
let current: string | undefined;

// The SDK's own handler reads the promise's class.
Object.defineProperty(ReusableVMWorkflowCreator, 'unhandledRejectionHandlerHasBeenSet', { value: true });
process.on('unhandledRejection', (reason, promise) => {
  // A promise of the host, such as one that an assertion returns, belongs to no workflow.
  const runId = activatorOf(promise)?.info.runId ?? current;
  const workflow = runId === undefined ? undefined : ReusableVMWorkflowCreator.workflowByRunId.get(runId);
  if (!workflow) throw new UnhandledRejectionError(`a promise of this thread itself was rejected: ${textOf(reason)}`, reason);
  workflow.setUnhandledRejection(new UnhandledRejectionError(`a rejected promise was not awaited: ${textOf(reason)}`, reason));
});

/** A thrown value need not be a string, and may throw when converted to one. */
function textOf(reason: unknown): string {
  try {
    return String(reason);
  } catch {
    return 'for a reason that cannot be read';
  }
}

promiseHooks.createHook({
  init,
  settled: (promise) => {
    const store = activatorOf(promise)?.promiseStackStore;
    store?.childToParent.delete(promise);
    store?.promiseToStack.delete(promise);
  },
});

/** The SDK's timeout for each call. */
const taskTimeoutMs = 5_000;
const taskName = '__firebreakWorkflowTask';
const runTask = new Script(`${taskName}()`);
let isWatched = false;

const { runInContext } = Script.prototype;
Script.prototype.runInContext = function runWatched(context, options) {
  return runInContext.call(this, context, isWatched ? { ...options, timeout: undefined } : options);
};

const { activate } = BaseVMWorkflow.prototype;
BaseVMWorkflow.prototype.activate = async function activateWatched(activation): Promise<Completion> {
  Object.defineProperty(globalThis, taskName, { value: () => activate.call(this, activation), configurable: true });
  let done: Promise<Completion>;
  isWatched = true;
  try {
    // Everything in the sandbox has run when this returns: only the SDK's own work is awaited then.
    done = runTask.runInThisContext({ timeout: taskTimeoutMs });
  } catch (error) {
    return { runId: this.runId, failed: { failure: { message: String(error), applicationFailureInfo: {} } } };
  } finally {
    isWatched = false;
  }
  return done;
};

/** Its place in an author's source; null if no author has written it; undefined outside a bundle. */
function sourceOf(frame: NodeJS.CallSite) {
  const [file, line, column] = [frame.getFileName(), frame.getLineNumber(), frame.getColumnNumber()];
  const map = globalHandlers.bundleFilenameToSourceMapConsumer.get(file ?? '');
  return map && line && column ? map.originalPositionFor({ line, column }) : undefined;
}

function nameOf(frame: NodeJS.CallSite): string | undefined {
  const [type, method, name] = [frame.getTypeName(), frame.getMethodName(), frame.getFunctionName()];
  if (type && method) return `${type}.${method}`;
  return frame.isConstructor() && name ? `new ${name}` : (name ?? undefined);
}

function lineOf(frame: NodeJS.CallSite): string {
  const at = sourceOf(frame);
  if (!at) return `    at ${frame}`;
  const place = `${at.source}:${at.line}:${at.column}`;
  const name = at.name || nameOf(frame);
  return name ? `    at ${name} (${place})` : `    at ${place}`;
}

keepShared.runInThisContext();

/** Makes the sandbox of a bundle; its workflows are found again with `workflowOf`. */
export function createRunnerSandbox({
  workflowBundle,
  isolateExecutionTimeoutMs,
  registeredActivityNames,
}: RunnerBundle): Promise<ReusableVMWorkflowCreator> {
  return SharedSandbox.create(workflowBundle, isolateExecutionTimeoutMs, registeredActivityNames);
}

export function workflowOf(runId: string) {
  return ReusableVMWorkflowCreator.workflowByRunId.get(runId);
}

/** Notes whose code runs from now on: what fails without an owner is of this run. */
export function runsNow(runId: string): void {
  current = runId;
}
