/** Processor time, for the account of a run: if the machine does other work, too, wall time says little. */
import { readFileSync } from 'node:fs';

/** In `/proc/PID/stat`, which counts in hundredths of a second on all Linux systems. */
const msATick = 10;

/** Milliseconds that this process has used, including processes that it started and that have ended; outside Linux without those. */
export function cpuMsUsed() {
  const { user, system } = process.cpuUsage();
  return Math.round((user + system) / 1_000) + ticksOf('self', 13, 14) * msATick;
}

/** Milliseconds that another process has used so far, including processes that it started and that have ended; 0 if there is none, or no Linux. */
export function cpuMsOf(pid) {
  return ticksOf(pid, 11, 12, 13, 14) * msATick;
}

function ticksOf(pid, ...places) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The program's name, in parentheses, may contain spaces. It is followed by fields 14 to 17 of proc(5).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return places.reduce((sum, place) => sum + Number(fields[place]), 0);
  } catch {
    return 0;
  }
}
