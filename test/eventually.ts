import { setTimeout as sleep } from 'node:timers/promises';

/** A machine with three times its capacity of work, and a third of its usual speed, takes this long for what normally takes some seconds. */
const leastMs = 300_000;

/** Each check costs processor time, mostly in the servers that it asks: after a long wait, it checks again after a tenth of that time. */
const seldomestMs = 300;

const pauseMs = (waitedMs: number, leastMs: number): number => Math.max(leastMs, Math.min(waitedMs / 10, seldomestMs));

/**
 * Checks repeatedly until there is a result other than `undefined` or `false`. Throws after `withinMs`, which is generous, since only a failure waits that
 * long: a loaded machine may take many times as long as an idle one.
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

/** The same if there may well be no result: returns undefined after `withinMs`, and the caller tries something else. */
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
