/** Processor time, for the account of a run: on a machine that does other things, too, the clock on the wall says little. */
import { readFileSync } from 'node:fs';

/** Of `/proc/PID/stat`, which counts in hundredths of a second on all Linux systems. */
const msATick = 10;

/** What this process has used, with the processes that it started and that have ended, in milliseconds; not on Linux without those. */
export function cpuMsUsed() {
  const { user, system } = process.cpuUsage();
  return Math.round((user + system) / 1_000) + childrenMs();
}

function childrenMs() {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8');
    // The name of the program, in parentheses, may have spaces. Then fields 16 and 17 of proc(5).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[13]) + Number(fields[14])) * msATick;
  } catch {
    return 0;
  }
}
