import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { processExists } from '../integrations/running-process.ts';

/** Returns which of the processes are still alive after `withinMs`; returns at once when none is. */
export async function survivors(pids: readonly number[], withinMs: number): Promise<readonly number[]> {
  const deadline = Date.now() + withinMs;
  while (pids.some(processExists) && Date.now() < deadline) await sleep(50);
  return pids.filter(processExists);
}

/** Kills a child, and resolves when it has ended, because its open files would get in the way of a cleanup. */
export async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** Returns the processes, except this one, that have `text` in their command line. */
export function processesWith(text: string): readonly number[] {
  const all = existsSync('/proc/self/cmdline') ? fromProc() : fromPs();
  return all.filter(({ pid, command }) => pid !== process.pid && command.includes(text)).map(({ pid }) => pid);
}

interface Listed {
  readonly pid: number;
  readonly command: string;
}

function fromProc(): readonly Listed[] {
  return readdirSync('/proc').flatMap((entry) => {
    const pid = Number(entry);
    try {
      return pid > 0 ? [{ pid, command: readFileSync(`/proc/${pid}/cmdline`, 'utf8') }] : [];
    } catch {
      return [];
    }
  });
}

function fromPs(): readonly Listed[] {
  const lines = execFileSync('ps', ['-axww', '-o', 'pid=,args='], { encoding: 'utf8' }).split('\n');
  return lines.map((line) => ({ pid: Number.parseInt(line, 10), command: line }));
}
