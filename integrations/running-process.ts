import { readFileSync } from 'node:fs';
import { systemErrorCode } from '../core/system-error.ts';

/** Whether the system has a process with this number, including one that has ended but was not reaped by its parent. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) === 'EPERM';
  }
}

/** Whether a process is still active: one that has ended and waits to be reaped by its parent is not. */
export function processExists(pid: number): boolean {
  return statOf(pid)?.state !== 'Z' && isRunning(pid);
}

/**
 * When the process started, in ticks since boot, which distinguishes it from another process with its number. Undefined if it has ended, or the system does not
 * say: only Linux has `/proc`.
 */
export function startOf(pid: number): string | undefined {
  const stat = statOf(pid);
  return stat?.state === 'Z' ? undefined : stat?.started;
}

/** https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
function statOf(pid: number): { readonly state: string | undefined; readonly started: string | undefined } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Fields after the name, which may contain blanks and brackets: first the state, and the start time as the twentieth.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0], started: fields[19] };
  } catch {
    return undefined;
  }
}
