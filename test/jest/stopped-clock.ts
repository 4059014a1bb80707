import { jest } from '@jest/globals';

/**
 * Stops the wall clock until it is moved, so that this machine's speed does not matter. Returns the function that moves it; `jest.useRealTimers()` restarts the
 * clock.
 */
export function stoppedClock(): (ms: number) => void {
  const doNotFake = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate'] as const;
  jest.useFakeTimers({ now: Date.now(), doNotFake: [...doNotFake, 'nextTick', 'queueMicrotask', 'performance', 'hrtime'] });
  return (ms) => jest.setSystemTime(Date.now() + ms);
}
