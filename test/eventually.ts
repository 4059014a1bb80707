import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Looks again until there is something: neither `undefined` nor `false`. Throws after `withinMs`, which is generous, since
 * only a failure waits for it: a loaded machine may take many times what a quiet one does.
 */
export async function eventually<T>(
  what: string,
  look: () => T | false | undefined | Promise<T | false | undefined>,
  { withinMs = 45_000, everyMs = 25 }: { readonly withinMs?: number; readonly everyMs?: number } = {},
): Promise<T> {
  for (const deadline = Date.now() + withinMs; ; ) {
    const found = await look();
    if (found !== false && found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`${what}: not there after ${withinMs / 1_000} s`);
    await sleep(everyMs);
  }
}
