import { url as debuggerAddress } from 'node:inspector';
import { extname, join } from 'node:path';
import { clearInterval, setInterval } from 'node:timers';
import { types } from 'node:util';
import { getEnvironmentData, isMainThread, setEnvironmentData, Worker } from 'node:worker_threads';

const [rounds, underWay] = [0, 1];
const roundMs = 200;

/** Shared by both threads: how many turns this one has completed, and how many simulations are in progress. Undefined: nobody watches. */
const shared = isMainThread && debuggerAddress() === undefined ? watched() : undefined;

/**
 * Waits for simulations of an author's tests. If a playbook never waits for anything, they would never end, and no runner can end them or tell where: so
 * another thread checks whether this one still completes its turns, and otherwise ends the process and names the place. In production the turn counter of the
 * bundle ends such a playbook. Does nothing under a debugger, in which people pause, or under a runner that runs tests in threads: only the main thread can be
 * inspected.
 */
export async function endingLoops<Result>(simulations: () => Promise<Result>): Promise<Result> {
  if (!shared) return simulations();
  Atomics.add(shared, underWay, 1);
  const round = setInterval(() => Atomics.add(shared, rounds, 1), roundMs).unref();
  try {
    return await simulations();
  } finally {
    clearInterval(round);
    Atomics.sub(shared, underWay, 1);
  }
}

/** One thread per process: a test runner loads this module again for each test file. */
function watched(): Int32Array {
  const name = 'firebreak/testing';
  const known = getEnvironmentData(name);
  if (types.isInt32Array(known)) return known;
  const counts = new Int32Array(new SharedArrayBuffer(8));
  setEnvironmentData(name, counts);
  const file = join(import.meta.dirname, `loop-watch-main${extname(import.meta.filename)}`);
  new Worker(file, { workerData: counts, execArgv: [], env: {} }).unref();
  return counts;
}
