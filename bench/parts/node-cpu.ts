import { readdirSync, readFileSync } from 'node:fs';
import { processStat, ticksPerSecond } from './process-stat.ts';

interface Used {
  readonly name: string;
  readonly parent: number;
  readonly own: number;
  /** Time of its children that have ended. */
  readonly waitedFor: number;
}

/**
 * Processor seconds so far of the processes under the given one, by program name. What ran in a container and has ended is counted for the runtime's shim: it
 * is under `in containers`. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
 */
export function cpuSecondsUnder(root: number): ReadonlyMap<string, number> {
  const all = new Map(readdirSync('/proc').flatMap((entry) => (/^\d+$/.test(entry) ? used(Number(entry)) : [])));
  const isUnder = (pid: number): boolean => pid === root || (pid > 1 && isUnder(all.get(pid)?.parent ?? 0));
  const sums = new Map<string, number>();
  const add = (name: string, seconds: number) => sums.set(name, (sums.get(name) ?? 0) + seconds);
  for (const [pid, { name, own, waitedFor }] of all) {
    if (!isUnder(pid)) continue;
    add(name, own);
    if (name.startsWith('containerd-shim')) add('in containers', waitedFor);
  }
  return sums;
}

/** Seconds that all processors together have been busy so far. https://man7.org/linux/man-pages/man5/proc_stat.5.html */
export function machineSeconds(): number {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0] = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '')
    .split(/ +/)
    .map(Number);
  return (user + nice + system + irq + softIrq) / ticksPerSecond;
}

function used(pid: number): readonly (readonly [number, Used])[] {
  const stat = processStat(pid);
  if (!stat) return [];
  const { name, parent, userTicks, systemTicks, childrenTicks } = stat;
  return [[pid, { name, parent, own: (userTicks + systemTicks) / ticksPerSecond, waitedFor: childrenTicks / ticksPerSecond }]];
}
