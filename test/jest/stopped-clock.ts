import { jest } from '@jest/globals';

/**
 * The wall clock stands still until it is moved: how fast this machine is must not matter. Gives back what moves it;
 * `jest.useRealTimers()` has it go on.
 */
export function stoppedClock(): (ms: number) => void {
  const doNotFake = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate'] as const;
  jest.useFakeTimers({ now: Date.now(), doNotFake: [...doNotFake, 'nextTick', 'queueMicrotask', 'performance', 'hrtime'] });
  return (ms) => jest.setSystemTime(Date.now() + ms);
}
