import { readdirSync, readFileSync } from 'node:fs';

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

/** Memory of a process, MB of 10^6 bytes: of what it shares with others, its part. So the parts of several can be added. */
function ownMb(pid: number): number {
  try {
    return (Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) * 1_024) / 1e6;
  } catch {
    return 0;
  }
}

/** Memory of a process and of all that it has started, MB of 10^6 bytes. A container's limit counts both. */
export function memoryOfTree(root: number): { readonly root: number; readonly children: number } {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const parent = /^\d+$/.test(name) ? processStat(Number(name))?.parent : undefined;
    if (parent !== undefined) parents.set(Number(name), parent);
  }
  const isOf = (pid: number): boolean => {
    const parent = parents.get(pid);
    return parent !== undefined && (parent === root || isOf(parent));
  };
  const children = [...parents.keys()].filter(isOf).reduce((sum, pid) => sum + ownMb(pid), 0);
  return { root: ownMb(root), children };
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
