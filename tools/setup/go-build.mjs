/** How the local platform is compiled. Plain JavaScript, since it starts before any package is installed: see compile-ahead.mjs. */
import { totalmem } from 'node:os';

/**
 * Nobody debugs these programs: without DWARF a package takes a twentieth to a tenth less. These flags contain no linked value, so that what is compiled ahead
 * matches what the build needs.
 */
export const compileFlags = ['-trimpath', '-gcflags=all=-dwarf=false'];

/** With less garbage collection the compiler takes a quarter less time, but up to twice the memory, which a small machine does not have. */
const roomyBytes = 6 * 1024 ** 3;

export function goEnvironment(environment = process.env) {
  return { ...environment, CGO_ENABLED: '0', ...(totalmem() >= roomyBytes && { GOGC: environment.GOGC ?? '400' }) };
}
