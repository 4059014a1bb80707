/** Milliseconds of processor time that this process has used since then: not wall time, since the machine may have other work. */
export function cpuMsSince(started: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(started);
  return (user + system) / 1_000;
}
