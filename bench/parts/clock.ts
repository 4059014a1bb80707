import { setTimeout as sleep } from 'node:timers/promises';
import { processStat, ticksPerSecond } from './process-stat.ts';

/** This machine's wall clock in milliseconds with fractions: the clock of the API server's audit log. */
export function wallClock(): number {
  return performance.now() + offset;
}

let offset = readOffset();

/** Waits for the next tick of the millisecond clock, so that the fraction is right; the wall clock may be slewed in the meantime. */
function readOffset(): number {
  const before = Date.now();
  let now = before;
  while (now === before) now = Date.now();
  return now - performance.now();
}

export function setClock(): void {
  offset = readOffset();
}

/** `2026-11-24T21:41:44.717016Z` in milliseconds with fractions. */
export function microseconds(timestamp: string): number {
  const fraction = /\.(\d+)Z$/.exec(timestamp)?.[1] ?? '0';
  return Date.parse(timestamp.replace(/\.\d+Z$/, 'Z')) + Number(`0.${fraction}`) * 1_000;
}

const sampleMs = 200;

/** Processor time that the processes have used so far, in milliseconds. */
function busyMs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuMs(pid), 0);
}

/** User and system time of one process, in milliseconds; 0 for one that has ended. */
export function cpuMs(pid: number): number {
  const stat = processStat(pid);
  return stat ? ((stat.userTicks + stat.systemTicks) * 1_000) / ticksPerSecond : 0;
}

/**
 * Waits until the processes together have used less than `share` of one core for `forMs` milliseconds without a break, for at most `withinMs`. Returns false if
 * they never did.
 */
export async function idle(options: {
  readonly pids: readonly number[];
  readonly share: number;
  readonly forMs?: number;
  readonly withinMs: number;
}): Promise<boolean> {
  const { pids, share, forMs = sampleMs, withinMs } = options;
  const until = performance.now() + withinMs;
  for (let quietSince = performance.now(); performance.now() < until; ) {
    const [before, started] = [busyMs(pids), performance.now()];
    await sleep(sampleMs);
    if (busyMs(pids) - before >= share * (performance.now() - started)) quietSince = performance.now();
    else if (performance.now() - quietSince >= forMs) return true;
  }
  return false;
}

/** Before each of many single measurements: waits until these processes have finished the work of the previous one, and sets the clock. */
export async function settle(pids: readonly number[]): Promise<void> {
  await sleep(300);
  await idle({ pids, share: 0.3, withinMs: 5_000 });
  setClock();
}
