import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorCode, hasCode } from '../../../core/errors.ts';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import type { Names } from '../../incidents/names.ts';
import { newEntries } from '../../incidents/new-entries.ts';
import type { CommonOptions } from '../options.ts';
import { printEntry } from './incident-text.ts';

const lookEveryMs = 1_000;

/** Prints what is new in an incident until it has ended. After the first answer, errors listed in `passing` are waited out and reported once. */
export async function printUntilClosed(
  look: () => Promise<Pick<IncidentState, 'open' | 'timeline'>>,
  options: CommonOptions & { readonly names: Pick<Names, 'actor'>; readonly passing: readonly ErrorCode[] },
): Promise<void> {
  const { names, passing } = options;
  let before: Pick<IncidentState, 'timeline'> | undefined;
  for (let isAway = false; ; ) {
    const now = await look().catch((error: unknown) => {
      if (!before || !hasCode(error, ...passing)) throw error;
      return undefined;
    });
    if (now) {
      for (const entry of newEntries(before, now)) printEntry(entry, names, options);
      if (!now.open) return;
      before = now;
    } else if (!isAway) process.stderr.write('No answer at the moment: the timeline continues when there is one.\n');
    isAway = now === undefined;
    await sleep(lookEveryMs);
  }
}
