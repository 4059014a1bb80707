import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** This machine's wall clock in milliseconds with fractions: the one of the API server's audit log. */
export function wallClock(): number {
  return performance.now() + offset;
}

let offset = readOffset();

/** Waits for the next tick of the millisecond clock, so that the fraction is right; the wall clock may be slewed meanwhile. */
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
const ticksPerSecond = 100;

/** Processor time of the processes so far, in milliseconds. */
function busyMs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuMs(pid), 0);
}

/** User and system time of one process, in milliseconds. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
export function cpuMs(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    return ((Number(fields[11]) + Number(fields[12])) * 1_000) / ticksPerSecond;
  } catch {
    return 0;
  }
}

/** Waits until the processes together use less than `share` of one core, at most `withinMs`. False when they never did. */
export async function idle(options: {
  readonly pids: readonly number[];
  readonly share: number;
  readonly withinMs: number;
}): Promise<boolean> {
  const until = performance.now() + options.withinMs;
  while (performance.now() < until) {
    const [before, started] = [busyMs(options.pids), performance.now()];
    await sleep(sampleMs);
    if (busyMs(options.pids) - before < options.share * (performance.now() - started)) return true;
  }
  return false;
}
