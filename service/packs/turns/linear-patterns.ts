import { setFlagsFromString } from 'node:v8';

/**
 * Has V8 go on with its engine that needs linear time where a regular expression has gone back 50 000 times: one such call in a playbook would keep the
 * thread of all incidents for minutes, and be tried again at each replay. Both engines find the same. For each thread that is made afterwards.
 */
export function boundPatterns(): void {
  setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');
}

const repeats = /[*+{]/;

/** Whether no text can keep this regular expression busy for long: it repeats nothing, or the engine that needs linear time takes it. */
export function isBounded({ pattern, flags }: { readonly pattern: string; readonly flags: string }): boolean {
  if (!repeats.test(pattern)) return true;
  // Allows the flag `l`, which refuses what cannot be run in linear time.
  setFlagsFromString('--enable-experimental-regexp-engine');
  try {
    new RegExp(pattern, `${flags}l`);
    return true;
  } catch {
    return false;
  }
}
