import { readFileSync } from 'node:fs';
import { systemErrorCode } from '../core/system-error.ts';

/** Whether the system has a process with this number, also one that has ended and whose parent has not noticed. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) === 'EPERM';
  }
}

/** Whether a process still does something: one that has ended and waits for its parent to notice does not. */
export function processExists(pid: number): boolean {
  return statOf(pid)?.state !== 'Z' && isRunning(pid);
}

/** When it began, in ticks since the system did: another one with its number has another. Undefined where it has ended, or the system does not say: only Linux has `/proc`. */
export function startOf(pid: number): string | undefined {
  const stat = statOf(pid);
  return stat?.state === 'Z' ? undefined : stat?.started;
}

/** https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
function statOf(pid: number): { readonly state: string | undefined; readonly started: string | undefined } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Behind the name, which may have blanks and brackets: the state first, and the start as the twentieth.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0], started: fields[19] };
  } catch {
    return undefined;
  }
}
