/**
 * The thread in which a worker runs workflows. What it does is the SDK's. Two things that the SDK does at every turn are done here for less:
 *
 * - For each promise it writes out the ten frames that made it, through the source map. Here the one frame is looked up that people know, and only for a
 *   promise that an author's code makes. It was a third of this thread's time.
 * - For each of the three to five calls of a task it starts and ends a thread that watches the time: 0.1 ms of the processor, and 2 ms by the clock
 *   where processors are scarce. Here one watches the whole task.
 *
 * And nothing is asked of an author's promise but which it is: what it says of its class may throw, which ends this thread, and all incidents with it.
 */
import { promiseHooks } from 'node:v8';
import vm, { Script } from 'node:vm';
import type { coresdk } from '@temporalio/proto';
import { UnhandledRejectionError } from '@temporalio/worker/lib/errors.js';
import { ReusableVMWorkflowCreator } from '@temporalio/worker/lib/workflow/reusable-vm.js';
import { BaseVMWorkflow, globalHandlers } from '@temporalio/worker/lib/workflow/vm-shared.js';
import type { StackTraceFileLocation } from '@temporalio/workflow';
import type { Activator } from '@temporalio/workflow/lib/internals.js';

type Completion = coresdk.workflow_completion.IWorkflowActivationCompletion;

// The SDK's own are installed once, when the first bundle is loaded.
globalHandlers.installed = true;
globalHandlers.promiseHookInstalled = true;

const ownError = Error;
const prepareOwn = Error.prepareStackTrace;
Error.prepareStackTrace = (error, frames) => {
  if (error instanceof Making) return frames;
  if (prepareOwn && error.constructor === ownError) return prepareOwn(error, frames);
  return [String(error), ...frames.map((frame) => lineOf(frame))].join('\n');
};

/** What has led to a promise, as long as it is being made. */
class Making {
  declare readonly stack: readonly NodeJS.CallSite[];

  constructor() {
    Error.captureStackTrace(this, init);
  }
}

/**
 * Of a promise that was just made, for whoever is told of it: where its author's source has made it. Frames are not kept: all that their functions know would
 * be kept with them, such as what earlier tasks have brought.
 */
class Made {
  #at: string | undefined;

  /** File and line, while it is being made; absent where the engine makes it and no author's code. */
  madeAt(): string | undefined {
    const frame = new Making().stack.find((one) => one.getFileName());
    const { source, line } = (frame && sourceOf(frame)) ?? {};
    this.#at = source ? `${source}:${line}` : undefined;
    return this.#at;
  }

  /** As Temporal's own tools show where a workflow waits. */
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

/** Of the workflow that runs in the sandbox, which all workflows of this thread share. */
let runningActivator: () => Activator | undefined = () => undefined;

const ownPromises = Promise.prototype;

function activatorOf(promise: Promise<unknown>): Activator | undefined {
  return Object.getPrototypeOf(promise) === ownPromises ? undefined : runningActivator();
}

const { createContext } = vm;
vm.createContext = (sandbox, options) => createContext(sandbox, { ...options, codeGeneration: { strings: false, wasm: true } });

// What the SDK gives to the sandbox are this thread's own functions: whoever has one must not make others that reach what the thread reaches.
for (const kind of [() => {}, async () => {}, function* () {}, async function* () {}])
  Object.defineProperty(Object.getPrototypeOf(kind), 'constructor', { value: madeOfText, writable: false, configurable: false });

function madeOfText(): never {
  throw new EvalError('no code is made of texts here');
}

/**
 * Keeps what all workflows of this thread share as it is: an author could change it for others. Of the kinds that many others are made of, these may still
 * have a property of their own by that name.
 */
const keepShared = new Script(`(() => {
  const { defineProperty, freeze, getOwnPropertyDescriptor, getPrototypeOf, isFrozen } = Object;
  const { ownKeys } = Reflect;
  const given = (kind, key) => {
    const { value, writable, configurable } = getOwnPropertyDescriptor(kind, key);
    if (!writable || !configurable) return;
    const set = function (own) {
      if (this === kind) throw new TypeError('what all playbooks share is not changed');
      defineProperty(this, key, { value: own, writable: true, enumerable: true, configurable: true });
    };
    defineProperty(kind, key, { get: () => value, set });
  };
  const keep = (kind) => {
    for (; kind && !isFrozen(kind); kind = getPrototypeOf(kind)) {
      // What stands at a class itself, such as how deep stacks are noted, the engine reads as it was made; the SDK freezes the sandbox's.
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
    // Matching takes seven times as long where its prototype is not as it was made.
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
const { create } = ReusableVMWorkflowCreator;
Object.defineProperty(ReusableVMWorkflowCreator, 'create', { value: create.bind(SharedSandbox) });

// The SDK's own asks the promise for its class.
Object.defineProperty(ReusableVMWorkflowCreator, 'unhandledRejectionHandlerHasBeenSet', { value: true });
process.on('unhandledRejection', (reason, promise) => {
  const runId = activatorOf(promise)?.info.runId;
  const workflow = runId === undefined ? undefined : ReusableVMWorkflowCreator.workflowByRunId.get(runId);
  if (!workflow) throw new UnhandledRejectionError(`a promise of this thread itself failed: ${textOf(reason)}`, reason);
  workflow.setUnhandledRejection(
    new UnhandledRejectionError(`nobody waits for a promise that failed: ${textOf(reason)}`, reason),
  );
});

/** What is thrown need not be a text, and may throw when it is made one. */
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

/** As the SDK has it for each call. */
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
    // All that runs in the sandbox has run when this returns: what is awaited then is the SDK's alone.
    done = runTask.runInThisContext({ timeout: taskTimeoutMs });
  } catch (error) {
    return { runId: this.runId, failed: { failure: { message: String(error), applicationFailureInfo: {} } } };
  } finally {
    isWatched = false;
  }
  return done;
};

/** Its place in an author's source, null where no author has written it; undefined outside of a bundle. */
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

await import('@temporalio/worker/lib/workflow/workflow-worker-thread.js');
keepShared.runInThisContext();
