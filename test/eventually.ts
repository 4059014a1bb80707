import { setTimeout as sleep } from 'node:timers/promises';

/** What normally takes some seconds takes this long on a machine with three times its capacity of work. */
const leastMs = 60_000;

/** No wait is longer, but in suites whose tests may take longer than two minutes: `run.mjs` says by how much. */
const mostMs = Number(process.env.FIREBREAK_TEST_PATIENCE_MS ?? leastMs);

/** Each check costs processor time, mostly in the servers that it asks: after a long wait, it checks again after a tenth of that time. */
const seldomestMs = 300;

const pauseMs = (waitedMs: number, leastMs: number): number => Math.max(leastMs, Math.min(waitedMs / 10, seldomestMs));

/**
 * Checks repeatedly until there is a result other than `undefined` or `false`. Throws after a minute, which is generous, since only a failure waits that
 * long: a loaded machine may take many times as long as an idle one. More than that, `withinMs`, counts only where a test may take longer than two minutes.
 */
export async function eventually<T>(
  what: string,
  look: () => T | false | undefined | Promise<T | false | undefined>,
  { withinMs = leastMs, everyMs = 25 }: { readonly withinMs?: number; readonly everyMs?: number } = {},
): Promise<T> {
  const patienceMs = Math.min(mostMs, Math.max(leastMs, withinMs));
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
