/**
 * Milliseconds of processor time that this thread has used since: not by the clock on the wall, since the machine may have other things to do,
 * and not of the threads that compile and collect beside it.
 */
export function cpuMsSince(started: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(started);
  return (user + system) / 1_000;
}
