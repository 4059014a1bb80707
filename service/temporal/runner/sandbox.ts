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
import type { Workflow, WorkflowCreateOptions } from '@temporalio/worker/lib/workflow/interface.js';
import { ReusableVMWorkflow, ReusableVMWorkflowCreator } from '@temporalio/worker/lib/workflow/reusable-vm.js';
import { BaseVMWorkflow, globalHandlers, type WorkflowModule } from '@temporalio/worker/lib/workflow/vm-shared.js';
import type { WorkflowInfo } from '@temporalio/workflow';
import type { Activator } from '@temporalio/workflow/lib/internals.js';
import type { RunnerBundle } from './messages.ts';
import { createRealm, type Realm } from './realm.ts';

type Completion = coresdk.workflow_completion.IWorkflowActivationCompletion;

// The SDK installs its own once, when the first bundle is loaded.
globalHandlers.installed = true;
globalHandlers.promiseHookInstalled = true;

const ownError = Error;
const prepareOwn = Error.prepareStackTrace;
const prepare: typeof Error.prepareStackTrace = (error, frames) => {
  if (error instanceof Making) return frames;
  if (prepareOwn && error.constructor === ownError) return prepareOwn(error, frames);
  return [String(error), ...frames.map((frame) => lineOf(frame))].join('\n');
};
Object.defineProperty(Error, 'prepareStackTrace', { value: prepare, writable: false, configurable: false });

/** Captures the stack while a promise is being made. */
class Making {
  declare readonly stack: readonly NodeJS.CallSite[];

  constructor() {
    Error.captureStackTrace(this, init);
  }
}

/** Where an author's source makes a promise: file and line, while it is being made; undefined if the engine makes it and not an author's code. */
function placeNow(): string | undefined {
  const frame = new Making().stack.find((one) => one.getFileName());
  const { source, line } = (frame && sourceOf(frame)) ?? {};
  return source ? `${source}:${line}` : undefined;
}

/** Of the sandbox that all workflows of this process share. */
let realm: Realm | undefined;

const ownPromises = Promise.prototype;

function isOfSandbox(promise: Promise<unknown>): boolean {
  return Object.getPrototypeOf(promise) !== ownPromises;
}

function init(promise: Promise<unknown>, parent: Promise<unknown>): void {
  if (isOfSandbox(promise)) realm?.noteMade(promise, parent);
}

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
  const unnamed = [async () => {}, function* () {}, async function* () {}, [].values(), new Map().values(), new Set().values(), ''.matchAll(/x/g), ''[Symbol.iterator](), globalThis];
  for (const one of unnamed) keep(getPrototypeOf(one));
  for (const name of ownKeys(globalThis)) {
    const { value } = getOwnPropertyDescriptor(globalThis, name);
    // Matching takes seven times as long if its prototype was modified.
    if (typeof value !== 'function' || name === 'RegExp') continue;
    keep(getPrototypeOf(value));
    if (typeof value.prototype === 'object') keep(value.prototype);
  }
})()`);

const enterSandbox = new Script('__TEMPORAL_CALL_INTO_SCOPE()');

class SharedSandbox extends ReusableVMWorkflowCreator {
  readonly #bag: object;

  constructor(...given: ConstructorParameters<typeof ReusableVMWorkflowCreator>) {
    super(...given);
    this.#bag = vm.runInContext('Object.getOwnPropertyDescriptors(globalThis)', this.context);
  }

  /** Instead of the SDK's, which are the host's. */
  protected override injectGlobals(context: vm.Context): void {
    realm = createRealm(context, placeNow);
    // This object of the host's has no other way up: what it does is in a handler.
    Object.setPrototypeOf(context.__webpack_module_cache__, null);
    keepShared.runInContext(context);
  }

  override async createWorkflow(options: WorkflowCreateOptions): Promise<Workflow> {
    const { context } = this;
    const own = this.#realm;
    const holder = own.holderOf(this.#bag);
    const enter = (name: string, args: readonly unknown[]): unknown => {
      context.__temporal_args = own.argumentsOf(holder, name, args);
      return enterSandbox.runInContext(context, { timeout: this.isolateExecutionTimeoutMs, displayErrors: true });
    };
    const module = new Proxy({} as WorkflowModule, {
      get:
        (_, name) =>
        (...args: readonly unknown[]) =>
          own.plain(enter(String(name), args.map(plainMessage))),
    });
    const { runId } = options.info;
    module.initRuntime({
      ...options,
      sourceMap: this.workflowBundle.sourceMap,
      getTimeOfDay: timeNow,
      registeredActivityNames: this.registeredActivityNames,
      stackTracesEnabled: true,
    });
    const { __TEMPORAL_ACTIVATOR__: activator } = context;
    if (!activator) throw new Error('a workflow was not created');
    const workflow = new ReusableVMWorkflow(runId, context, activatorDoor(activator, own), module);
    ReusableVMWorkflowCreator.workflowByRunId.set(runId, workflow);
    return workflow;
  }

  get #realm(): Realm {
    if (!realm) throw new Error('a sandbox has no realm');
    return realm;
  }
}

const timeNow = (): bigint => BigInt(Date.now()) * 1_000_000n;

/** A message of Temporal as plain data, with what its class says where it says nothing. */
function plainMessage(given: unknown): unknown {
  const { constructor: kind } = Object(given);
  return typeof kind?.toObject === 'function' ? kind.toObject(given, { defaults: true, oneofs: true }) : given;
}

/** What the SDK uses of a workflow from outside its sandbox. */
function activatorDoor(activator: Activator, { adopted, copied, describe, plain }: Realm): Activator {
  const door: Partial<Activator> = {
    get info() {
      return activator.info;
    },
    set now(now: number) {
      activator.now = now;
    },
    set sdkVersion(version: string) {
      activator.sdkVersion = version;
    },
    set workflowTaskError(error: unknown) {
      activator.workflowTaskError = adopted(error);
    },
    mutateWorkflowInfo: (changed) => describe(activator, changed({ unsafe: {} } as WorkflowInfo)),
    addKnownFlags: (flags) => activator.addKnownFlags(copied(flags)),
    hasFlag: (flag) => activator.hasFlag(copied(flag)),
    notifyHasPatch: (job) => activator.notifyHasPatch(copied(plainMessage(job)) as typeof job),
    updateRandomSeed: (job) => activator.updateRandomSeed(copied(plainMessage(job)) as typeof job),
    errorToFailure: (error) => plain(activator.errorToFailure(adopted(error))),
    getAndResetSinkCalls: () => plain(activator.getAndResetSinkCalls()),
  };
  return door as Activator;
}
/** The run whose task is being done; the runner does one at a time. */
let current: string | undefined;

// The SDK's own handler reads the promise's class.
Object.defineProperty(ReusableVMWorkflowCreator, 'unhandledRejectionHandlerHasBeenSet', { value: true });
process.on('unhandledRejection', (reason, promise) => {
  // A promise of the host, such as one that an assertion returns, belongs to no workflow.
  const runId = (isOfSandbox(promise) ? realm?.runId() : undefined) ?? current;
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
    if (isOfSandbox(promise)) realm?.noteSettled(promise);
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
