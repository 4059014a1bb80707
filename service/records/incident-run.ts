import type { AuditRecord } from '../../core/audit/audit.ts';
import { provenOf } from '../../core/audit/audit-check.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { Trust } from '../../core/messages/sender.ts';
import { compareTexts } from '../../core/text/plain-json.ts';

/** The proven records of one run of an incident, in their maker's order. */
interface ProvenRun {
  /** `INCIDENT@RUN`. */
  readonly chain: string;
  readonly records: readonly AuditRecord[];
  /** Number of rows that are not proven. */
  readonly leftOut: number;
}

/**
 * @param incident its full id; the newest run is used if none is named
 * @throws FB_ERR_UNKNOWN_ID
 */
export async function provenRunOf(
  { store, trust }: { readonly store: Pick<AuditStore, 'chains' | 'storedChain'>; readonly trust: Trust },
  incident: string,
  run?: string,
): Promise<ProvenRun> {
  const runs = run === undefined ? await store.chains([`${incident}@`]) : [`${incident}@${run}`];
  let newest: ProvenRun | undefined;
  // One after another, because a workload may have had hundreds of runs.
  for (const chain of runs) {
    const one = { chain, ...provenOf((await store.storedChain(chain)).records, trust) };
    const isNewer = !newest || compareTexts(startOf(one.records), startOf(newest.records)) >= 0;
    if (one.records.length > 0 && isNewer) newest = one;
  }
  if (!newest)
    throw new FirebreakError(
      'FB_ERR_UNKNOWN_ID',
      `there are no proven records of ${incident}${run === undefined ? '' : `@${run}`}`,
    );
  return { ...newest, records: newest.records.toSorted((a, b) => a.number - b.number) };
}

export function startOf(records: readonly AuditRecord[]): string {
  return records.reduce((first, { at }) => (first === '' || at < first ? at : first), '');
}
