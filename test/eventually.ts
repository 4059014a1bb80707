import { setTimeout as sleep } from 'node:timers/promises';

/** A machine with three times as much to do as it can, and a third of its usual speed, takes this long for what takes some seconds. */
const leastMs = 300_000;

/** Looks cost processor time, most of it that of the servers that are asked: who has waited for long looks again after a tenth part of that. */
const seldomestMs = 300;

const pauseMs = (waitedMs: number, leastMs: number): number => Math.max(leastMs, Math.min(waitedMs / 10, seldomestMs));

/**
 * Looks again until there is something: neither `undefined` nor `false`. Throws after `withinMs`, which is generous, since
 * only a failure waits for it: a loaded machine may take many times what a quiet one does.
 */
export async function eventually<T>(
  what: string,
  look: () => T | false | undefined | Promise<T | false | undefined>,
  { withinMs = leastMs, everyMs = 25 }: { readonly withinMs?: number; readonly everyMs?: number } = {},
): Promise<T> {
  const patienceMs = Math.max(leastMs, withinMs);
  for (const begunAt = Date.now(); ; ) {
    const found = await look();
    if (found !== false && found !== undefined) return found;
    const waitedMs = Date.now() - begunAt;
    if (waitedMs > patienceMs) throw new Error(`${what}: not there after ${patienceMs / 1_000} s`);
    await sleep(pauseMs(waitedMs, everyMs));
  }
}

/** The same where it may well come to nothing: undefined after `withinMs`, and whoever asked tries something else. */
export async function within<T>(
  withinMs: number,
  look: () => T | false | undefined | Promise<T | false | undefined>,
): Promise<T | undefined> {
  for (const begunAt = Date.now(); ; ) {
    const found = await look();
    if (found !== false && found !== undefined) return found;
    const waitedMs = Date.now() - begunAt;
    if (waitedMs > withinMs) return undefined;
    await sleep(pauseMs(waitedMs, 25));
  }
}
