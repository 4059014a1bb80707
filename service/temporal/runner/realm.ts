/**
 * What a sandbox is given, made in the sandbox itself. An object of the host in it leads to `process`, by way of its prototypes and symbols; so the host's
 * functions are kept in closures, what they take and give is copied, and what they throw is made anew.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import vm, { Script } from 'node:vm';

/** Functions of a sandbox that the host calls. */
export interface Realm {
  /** What the host knows and passes to code of the sandbox, as objects of the sandbox. */
  readonly argumentsOf: (workflow: object, name: string, args: readonly unknown[]) => readonly unknown[];
  readonly copied: <Value>(value: Value) => Value;
  /** What code of the sandbox has made, as data without code: no getter, function or proxy is left. */
  readonly plain: <Value>(value: Value) => Value;
  /** An error of the host as one of the sandbox; anything else as it is. */
  readonly adopted: (error: unknown) => unknown;
  /** Keeps the globals of one workflow apart from those of another, as the SDK does. */
  readonly holderOf: (bag: object) => object;
  /** Adds to what the workflow knows about itself. */
  readonly describe: (activator: object, changes: object) => void;
  readonly noteMade: (promise: Promise<unknown>, parent: Promise<unknown>) => void;
  readonly noteSettled: (promise: Promise<unknown>) => void;
  /** Of the run whose workflow was entered last; undefined outside a workflow. */
  readonly runId: () => string | undefined;
}

/** What the host does for a sandbox. Each takes and gives primitive values only, or what `realm` copies. */
interface HostParts {
  readonly root: object;
  readonly encode: (text: string) => Uint8Array;
  readonly print: (level: string, text: string) => void;
  readonly createStore: () => AsyncLocalStorage<unknown>;
  /** Where an author's source makes a promise at this moment. */
  readonly placeNow: () => string | undefined;
}

const realm = new Script(`(host) => {
  'use strict';
  const { createStore, encode, placeNow, print, root: hostRoot } = host;
  const { defineProperty, freeze, getPrototypeOf, keys } = Object;
  const { apply } = Reflect;
  const { isArray } = Array;
  const { isView } = ArrayBuffer;
  const OwnDate = Date;
  const tagOf = Object.prototype.toString;

  const isOfHost = (value) => {
    if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return false;
    let kind = value;
    for (let above = getPrototypeOf(kind); above !== null; above = getPrototypeOf(kind)) kind = above;
    return kind === hostRoot;
  };
  const errorOf = ({ message, name, stack, cause }) => {
    const error = new Error(String(message), cause === undefined ? {} : { cause: adopted(cause) });
    defineProperty(error, 'name', { value: String(name), configurable: true, writable: true });
    defineProperty(error, 'stack', { value: String(stack), configurable: true, writable: true });
    return error;
  };
  const adopted = (error) => (isOfHost(error) ? errorOf(error) : error);
  // Also where a call into the host has no more room on the stack.
  const guarded = (work) => {
    try {
      return work();
    } catch (error) {
      throw adopted(error);
    }
  };

  const put = (on, key, value) => {
    if (key === '__proto__') defineProperty(on, key, { value, writable: true, enumerable: true, configurable: true });
    else on[key] = value;
  };
  const longOf = ({ low, high, unsigned }) => ({
    low,
    high,
    unsigned,
    toNumber: () => (unsigned ? high >>> 0 : high) * 4294967296 + (low >>> 0),
    toBytes: () => [high >>> 24, (high >>> 16) & 255, (high >>> 8) & 255, high & 255, low >>> 24, (low >>> 16) & 255, (low >>> 8) & 255, low & 255],
  });
  const copied = (value) => {
    if (typeof value === 'function') return (...given) => guarded(() => value(...given));
    if (value === null || typeof value !== 'object') return value;
    if (isArray(value)) {
      const copy = [];
      for (let at = 0; at < value.length; at += 1) copy[at] = copied(value[at]);
      return copy;
    }
    if (isView(value)) return new Uint8Array(value);
    switch (apply(tagOf, value, [])) {
      case '[object Date]':
        return new OwnDate(+value);
      case '[object Set]':
        return new Set(copied([...value]));
      case '[object Error]':
        return errorOf(value);
    }
    if (value.__isLong__ === true) return longOf(value);
    const copy = {};
    for (const key of keys(value)) put(copy, key, copied(value[key]));
    return copy;
  };
  // Code of a pack may have made it.
  const plain = (value) => {
    if (typeof value === 'function') return undefined;
    if (value === null || typeof value !== 'object') return value;
    if (isView(value)) return new Uint8Array(value);
    const isList = isArray(value);
    const copy = isList ? [] : {};
    if (isList) for (let at = 0; at < value.length; at += 1) copy[at] = plain(value[at]);
    else for (const key of keys(value)) put(copy, key, plain(value[key]));
    return copy;
  };

  // It compiles later, in the host, and takes memory that no bound counts.
  delete globalThis.WebAssembly;
  const give = (name, value) => defineProperty(globalThis, name, { value, writable: false, enumerable: true, configurable: false });
  give('TextEncoder', class TextEncoder {
    get encoding() {
      return 'utf-8';
    }
    encode(text = '') {
      const given = String(text);
      return guarded(() => new Uint8Array(encode(given)));
    }
  });
  give('AsyncLocalStorage', class AsyncLocalStorage {
    #store = guarded(createStore);
    constructor(name = 'anonymous') {
      this.name = name;
      if (!globalThis.__temporal_globalSandboxDestructors)
        defineProperty(globalThis, '__temporal_globalSandboxDestructors', { value: [] });
      const { __TEMPORAL_ACTIVATOR__: activator, __temporal_globalSandboxDestructors: ofAll } = globalThis;
      (activator?.workflowSandboxDestructors ?? ofAll).push(() => this.disable());
    }
    run(value, work, ...given) {
      const store = this.#store;
      return guarded(() => store.run(value, () => apply(work, undefined, given)));
    }
    getStore() {
      const store = this.#store;
      return guarded(() => store.getStore());
    }
    disable() {
      const store = this.#store;
      guarded(() => store.disable());
    }
  });

  const textOf = (value) => {
    if (typeof value === 'string') return value;
    if (value instanceof Error) return String(value.stack);
    if (value === null || typeof value !== 'object') return String(value);
    return JSON.stringify(value) ?? String(value);
  };
  const printer = (level) => (...given) => {
    const info = globalThis.__TEMPORAL_ACTIVATOR__?.info;
    if (info?.unsafe.isReplayingHistoryEvents) return;
    const place = info ? info.workflowType + '(' + info.workflowId + ')' : 'not in workflow context';
    const text = '[' + place + '] ' + given.map(textOf).join(' ');
    guarded(() => print(level, text));
  };
  const console = {};
  for (const level of ['log', 'warn', 'error', 'info', 'debug']) console[level] = printer(level);
  defineProperty(globalThis, 'console', { value: console, writable: true, enumerable: false, configurable: true });

  // Frames are not kept: they would keep alive everything their functions refer to, such as data from earlier tasks.
  class Made {
    #at;
    madeAt() {
      return (this.#at = guarded(placeNow));
    }
    get formatted() {
      return this.#at === undefined ? '' : '    at ' + this.#at;
    }
    get structured() {
      if (this.#at === undefined) return [];
      const [file, line] = this.#at.split(':');
      return [{ file_path: file, line: Number(line), internal_code: false }];
    }
  }
  freeze(Made);
  freeze(Made.prototype);
  const storeNow = () => globalThis.__TEMPORAL_ACTIVATOR__?.promiseStackStore;
  return {
    argumentsOf: (workflow, name, args) => [workflow, name, copied(args)],
    copied,
    plain,
    adopted,
    holderOf: (bag) => ({ bag }),
    describe: (activator, changes) => {
      const { unsafe, ...known } = copied(changes);
      activator.mutateWorkflowInfo((info) => ({ ...info, ...known, unsafe: { ...info.unsafe, ...unsafe } }));
    },
    noteMade: (promise, parent) => {
      const store = storeNow();
      if (!store || promise === parent) return;
      store.promiseToStack.set(promise, new Made());
      store.childToParent.set(promise, new Set(parent ? [parent] : []));
    },
    noteSettled: (promise) => {
      const store = storeNow();
      store?.childToParent.delete(promise);
      store?.promiseToStack.delete(promise);
    },
    runId: () => globalThis.__TEMPORAL_ACTIVATOR__?.info.runId,
  };
}`);

/** Gives a new sandbox its globals. */
export function createRealm(context: vm.Context, placeNow: HostParts['placeNow']): Realm {
  const encoder = new TextEncoder();
  const host: HostParts = {
    root: Object.prototype,
    encode: (text) => encoder.encode(text),
    print: (level, text) => {
      if (level === 'error' || level === 'warn') process.stderr.write(`${text}\n`);
      else process.stdout.write(`${text}\n`);
    },
    createStore: () => new AsyncLocalStorage(),
    placeNow,
  };
  return realm.runInContext(context)(host);
}

const { createContext } = vm;
vm.createContext = (sandbox, options) => {
  // Its own prototype would be seen in the sandbox: `globalThis.constructor` was the host's.
  if (sandbox) Object.setPrototypeOf(sandbox, null);
  return createContext(sandbox, { ...options, codeGeneration: { strings: false, wasm: false } });
};
