/** What test files import as `@jest/globals`: it belongs to the file that is running, also for modules that an earlier file has loaded. */
import { ModernFakeTimers } from '@jest/fake-timers';
import { ModuleMocker } from 'jest-mock';

let current;

/** Called by the runtime before a test file is loaded. */
export function beginFile(globals) {
  current = globals;
}

export const [expect, describe, test, it, beforeAll, beforeEach, afterEach, afterAll] = [
  'expect',
  'describe',
  'test',
  'it',
  'beforeAll',
  'beforeEach',
  'afterEach',
  'afterAll',
].map(
  (name) =>
    new Proxy(() => undefined, {
      apply: (_function, self, given) => Reflect.apply(current[name], self, given),
      get: (_function, key) => current[name][key],
    }),
);

const mocks = new ModuleMocker(globalThis);
const timers = new ModernFakeTimers({ config: { fakeTimers: {} }, global: globalThis });
const timeout = Symbol.for('TEST_TIMEOUT_SYMBOL');

/** What works without a separate context per file; modules cannot be replaced. */
export const jest = {
  /** Applies to the tests of this file, in milliseconds. */
  setTimeout: (milliseconds) => {
    globalThis[timeout] = milliseconds;
  },
  fn: (implementation) => mocks.fn(implementation),
  spyOn: (object, name, kind) => mocks.spyOn(object, name, kind),
  clearAllMocks: () => mocks.clearAllMocks(),
  resetAllMocks: () => mocks.resetAllMocks(),
  restoreAllMocks: () => mocks.restoreAllMocks(),
  useFakeTimers: (options) => timers.useFakeTimers(options),
  useRealTimers: () => timers.useRealTimers(),
  setSystemTime: (now) => timers.setSystemTime(now),
  advanceTimersByTime: (milliseconds) => timers.advanceTimersByTime(milliseconds),
  advanceTimersByTimeAsync: (milliseconds) => timers.advanceTimersByTimeAsync(milliseconds),
};

/** Clears what a file has set, so that the next one does not find it. */
export function endFile() {
  delete globalThis[timeout];
  mocks.restoreAllMocks();
  timers.useRealTimers();
}
