import { originProblem, recordContent } from '../../core/audit/audit.ts';
import { covers } from '../../core/audit/record-holds.ts';
import type { RecordRemoval } from '../../core/audit/record-removals.ts';
import { type RetentionParts, readSoundly } from './retention.ts';

export interface Removed {
  readonly records: number;
  /** Orders whose records are held. */
  readonly held: number;
  /** Why something is kept that is ordered, and not held. */
  readonly problems: readonly string[];
}

/**
 * Removes what records say where two people have ordered it, once the notary vouches for both orders and no hold is on them. By the signed records alone: whoever may
 * remove needs no key. The hash of what was there stays, so the chain is as it was.
 * @throws FB_ERR_AUDIT_DAMAGED
 */
export async function carryOutRemovals(parts: RetentionParts, { isTrial = false } = {}): Promise<Removed> {
  const { store, trust } = parts;
  const { removals, holds, vouched } = await readSoundly(parts);
  const problems: string[] = [];
  let [records, held] = [0, 0];
  for (const removal of removals) {
    if (!removal.isOrdered || removal.vouchedBy === undefined) continue;
    const { chain } = removal;
    const rows = (await store.storedChain(chain)).records.filter((row) => isNamed(row.signed?.record.number, removal));
    const left = rows.filter(({ signed }) => signed?.removed === undefined);
    if (left.length === 0) continue;
    const times = left.map(({ place }) => {
      const stated = vouched.stated(chain).find(({ number }) => number >= place);
      return Date.parse((stated && vouched.timeOf(stated.checkpoint)) ?? new Date().toISOString());
    });
    const asked = { chain, from: Math.min(...times), until: Math.max(...times) };
    if (holds.some((hold) => !hold.ended && covers(hold, asked))) {
      held += 1;
      continue;
    }
    for (const { place, signed } of left) {
      const problem = signed ? originProblem(signed, trust) : 'is no record';
      if (!signed || problem !== undefined) {
        problems.push(`${chain} record ${place} ${problem}`);
        continue;
      }
      const { number } = signed.record;
      if (!isTrial) await store.removeContent({ chain, place, number, content: recordContent(signed) });
      records += 1;
    }
  }
  return { records, held, problems };
}

function isNamed(number: number | undefined, { records }: RecordRemoval): boolean {
  return number !== undefined && records.includes(number);
}
