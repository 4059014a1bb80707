import { readdirSync, readFileSync } from 'node:fs';

const ticksPerSecond = 100;

interface Used {
  readonly name: string;
  readonly parent: number;
  readonly own: number;
  /** Of its children that have ended. */
  readonly waitedFor: number;
}

/**
 * Processor seconds so far of the processes under the given one, by the names of their programs. What runs in a container and has ended is
 * counted for the runtime's shim: it is under `in containers`. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
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

function used(pid: number): readonly (readonly [number, Used])[] {
  try {
    const [, name = '', rest = ''] = /\((.*)\) (.*)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    const fields = rest.split(' ').map(Number);
    const seconds = (...at: readonly number[]): number =>
      at.reduce((sum, field) => sum + (fields[field] ?? 0), 0) / ticksPerSecond;
    return [[pid, { name, parent: fields[1] ?? 0, own: seconds(11, 12), waitedFor: seconds(13, 14) }]];
  } catch {
    // It has ended meanwhile.
    return [];
  }
}
