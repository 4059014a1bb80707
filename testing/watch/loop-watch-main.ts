/** The thread of `endingLoops`: if the main thread no longer completes a turn, it reports where that is and ends the process. */
import { writeSync } from 'node:fs';
import { type Debugger, Session } from 'node:inspector';
import { fileURLToPath } from 'node:url';
import { workerData } from 'node:worker_threads';

/** CPU time in microseconds, not wall time: a machine with other work may be slow. */
const mostWithoutRound = 3_000_000;
const lookMs = 500;
/** How many times the thread is sampled for a line of the author's: what a loop calls is mostly the engine's code. */
const mostLooks = 5_000;
/**
 * After this many statements it is resumed and stopped elsewhere: when stepping over an await, V8 follows the waiting function, which may be one of the
 * engine's that also keeps running.
 */
const looksInARow = 50;

const [rounds, underWay] = [0, 1];
const shared = workerData as Int32Array;
let seen = -1;
let used = processorTime();
let isLooking = false;

// Also keeps this thread alive while it listens to the other one.
setInterval(() => {
  const round = Atomics.load(shared, rounds);
  const isTurning = round !== seen || Atomics.load(shared, underWay) === 0;
  seen = round;
  if (isTurning) used = processorTime();
  else if (!isLooking && processorTime() - used > mostWithoutRound) {
    isLooking = true;
    findPlace();
  }
}, lookMs);

function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function findPlace(): void {
  const session = new Session();
  session.connectToMainThread();
  const files = new Map<string, string>();
  session.on('Debugger.scriptParsed', ({ params: { scriptId, url } }) => files.set(scriptId, url));
  let looks = 0;
  session.on('Debugger.paused', ({ params: { callFrames } }) => {
    looks += 1;
    const frame = callFrames.find(({ location }) => isAuthors(files.get(location.scriptId)));
    if (frame || looks === mostLooks) end(frame ? placeOf(frame, files) : 'a place that was not found');
    if (looks % looksInARow !== 0) session.post('Debugger.stepInto');
    else session.post('Debugger.resume', () => setTimeout(() => session.post('Debugger.pause'), 1 + (looks % 7)));
  });
  session.post('Debugger.enable');
  session.post('Debugger.pause');
}

function end(place: string): void {
  writeSync(
    2,
    `firebreak/testing: a playbook goes on without waiting for anything, at ${place}. Its test would never end, so it was stopped.\n`,
  );
  process.kill(process.pid, 'SIGKILL');
}

const ownFolder = new URL('../..', import.meta.url).href;

function isAuthors(url: string | undefined): boolean {
  if (url === undefined || url === '' || url.startsWith('node:') || url.includes('/node_modules/')) return false;
  return !url.startsWith(ownFolder) && !url.startsWith(fileURLToPath(ownFolder));
}

function placeOf({ location }: Debugger.CallFrame, files: ReadonlyMap<string, string>): string {
  const url = files.get(location.scriptId) ?? '';
  const path = url.startsWith('file:') ? fileURLToPath(url) : url;
  const here = `${process.cwd()}/`;
  return `${path.startsWith(here) ? path.slice(here.length) : path}:${location.lineNumber + 1}`;
}
