import { setTimeout as sleep } from 'node:timers/promises';
import type { StreamOutcome } from '../../core/streams/stream.ts';

/** The outcome of a delivery, or that there was none in its time, or before the desk stops: for clients that have no end of their own. */
export async function inTime(
  delivery: Promise<StreamOutcome>,
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<StreamOutcome> {
  const over = new AbortController();
  const late = sleep(timeoutMs, undefined, { signal: AbortSignal.any([signal, over.signal]), ref: false }).then(
    (): StreamOutcome => ({ state: 'later', reason: 'no answer in time' }),
    (): StreamOutcome => ({ state: 'later', reason: 'stopped' }),
  );
  const first = await Promise.race([delivery, late]);
  over.abort();
  return first;
}
