import { setFlagsFromString } from 'node:v8';

/**
 * Makes V8 switch to its linear-time engine once a regular expression has backtracked 50 000 times: a single such call in a playbook would block the thread of
 * all incidents for minutes, and again at each replay. Both engines find the same matches. Applies to threads that are created afterwards.
 */
export function boundPatterns(): void {
  setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');
}

const repeats = /[*+{]/;

/** Returns whether no text can keep this regular expression busy for long: it has no repetition, or the linear-time engine accepts it. */
export function isBounded({ pattern, flags }: { readonly pattern: string; readonly flags: string }): boolean {
  if (!repeats.test(pattern)) return true;
  // Enables the flag `l`, which rejects patterns that cannot run in linear time.
  setFlagsFromString('--enable-experimental-regexp-engine');
  try {
    new RegExp(pattern, `${flags}l`);
    return true;
  } catch {
    return false;
  }
}
