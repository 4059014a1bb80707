import { url as debuggerAddress } from 'node:inspector';
import { extname, join } from 'node:path';
import { clearInterval, setInterval } from 'node:timers';
import { types } from 'node:util';
import { getEnvironmentData, isMainThread, setEnvironmentData, Worker } from 'node:worker_threads';

const [rounds, underWay] = [0, 1];
const roundMs = 200;

/** What both threads see: how often this one has come round, and how many simulations are under way. Absent: nobody watches. */
const shared = isMainThread && debuggerAddress() === undefined ? watched() : undefined;

/**
 * Waits for simulations of an author's tests. Where a playbook never waits for anything they would never end, and no runner can end them or say where: so
 * another thread looks whether this one still comes round, and ends the process with the place. Live a playbook is ended by its turns, which the bundle counts.
 * Not beside a debugger, in which people stand still, nor under a runner that has tests in threads: only the main one can be looked into.
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

/** One thread a process: a runner loads this module anew for each file of tests. */
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
