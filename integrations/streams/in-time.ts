import { setTimeout as sleep } from 'node:timers/promises';
import type { StreamOutcome } from '../../core/streams/stream.ts';

/**
 * Returns the outcome of a delivery, or reports that there was none before the timeout or before the desk stops: for clients without a timeout of their own.
 */
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
