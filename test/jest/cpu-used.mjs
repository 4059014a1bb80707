/** Processor time, for the account of a run: on a machine that does other things, too, the clock on the wall says little. */
import { readFileSync } from 'node:fs';

/** Of `/proc/PID/stat`, which counts in hundredths of a second on all Linux systems. */
const msATick = 10;

/** What this process has used, with the processes that it started and that have ended, in milliseconds; not on Linux without those. */
export function cpuMsUsed() {
  const { user, system } = process.cpuUsage();
  return Math.round((user + system) / 1_000) + ticksOf('self', 13, 14) * msATick;
}

/** What another process has used so far, in milliseconds, with the processes that it started and that have ended; 0 where there is none, or no Linux. */
export function cpuMsOf(pid) {
  return ticksOf(pid, 11, 12, 13, 14) * msATick;
}

function ticksOf(pid, ...places) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name of the program, in parentheses, may have spaces. Then fields 14 to 17 of proc(5).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return places.reduce((sum, place) => sum + Number(fields[place]), 0);
  } catch {
    return 0;
  }
}
