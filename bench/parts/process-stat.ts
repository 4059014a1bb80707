import { readFileSync } from 'node:fs';

export const ticksPerSecond = 100;

interface ProcessStat {
  readonly name: string;
  readonly parent: number;
  readonly userTicks: number;
  readonly systemTicks: number;
  /** Of its children that have ended and were waited for. */
  readonly childrenTicks: number;
}

/** What the kernel reports for a process; undefined if it has ended. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
export function processStat(pid: number): ProcessStat | undefined {
  try {
    // A name may itself contain spaces and parentheses.
    const [, name = '', rest = ''] = /\((.*)\) (.*)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    const field = rest.split(' ').map(Number);
    const [parent = 0, userTicks = 0, systemTicks = 0] = [field[1], field[11], field[12]];
    return { name, parent, userTicks, systemTicks, childrenTicks: (field[13] ?? 0) + (field[14] ?? 0) };
  } catch {
    return undefined;
  }
}

/** Memory of a process that the system cannot reclaim, MB of 2^20 bytes. https://man7.org/linux/man-pages/man5/proc_pid_status.5.html */
export function anonMb(pid: number): number {
  return Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024;
}

/** Peak memory of a process so far, MB of 10^6 bytes; undefined if it has ended. */
export function peakMb(pid: number): number | undefined {
  try {
    const [, kib] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return kib === undefined ? undefined : Math.round((Number(kib) * 1_024) / 1e6);
  } catch {
    return undefined;
  }
}
