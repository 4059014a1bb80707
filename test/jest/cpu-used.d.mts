export function cpuMsUsed(): number;
