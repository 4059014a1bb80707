/** Milliseconds of processor time that this process has used since: not by the clock on the wall, the machine may have other things to do. */
export function cpuMsSince(started: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(started);
  return (user + system) / 1_000;
}
