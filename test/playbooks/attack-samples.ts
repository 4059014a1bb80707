import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from '@jest/globals';

/** Recorded from a real API server, and not ours to distribute here: one event list per technique, and an ordinary day. */
export const attackSamples =
  process.env.FIREBREAK_ATTACK_SAMPLES ?? join(import.meta.dirname, '..', '..', '..', 'shared', 'attack-samples');

/** Tests on the samples, skipped with the reason if they are not on this machine. */
export function describeRecorded(what: string, tests: () => void): void {
  if (existsSync(attackSamples)) describe(what, tests);
  else describe.skip(`${what} (skipped: the samples are not here, and FIREBREAK_ATTACK_SAMPLES names no folder of them)`, tests);
}
