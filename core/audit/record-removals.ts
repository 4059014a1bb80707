import { type RemoveContent, recordOrderDone, recordOrderIn, secondWithinMs } from '../orders/record-hold.ts';
import { originOf } from './audit.ts';
import { isOrderOf, type VoteSigners } from './audit-decisions.ts';
import { type Vouched, vouchedBy } from './cut-check.ts';
import { covers, type RecordHold, type VouchedRecord } from './record-holds.ts';

/** An order to remove the content of records, according to the records of the control chains. */
export interface RecordRemoval extends Pick<RemoveContent, 'removal' | 'chain' | 'records' | 'cluster'> {
  /** Who has ordered it: it takes effect with two people. */
  readonly by: readonly string[];
  /** When the last of their orders was given. */
  readonly at: string;
  readonly reason: string;
  readonly isOrdered: boolean;
  /** The checkpoint that vouches for the second order. */
  readonly vouchedBy?: number;
}

/**
 * Returns the removals, each with the signatures of its people, so that nobody who could forge a record can get anything removed. Records by chain, each in its
 * order. Without signers, the cell's word is taken for them.
 */
export function removalsIn(records: Iterable<VouchedRecord>, signers?: VoteSigners): readonly RecordRemoval[] {
  const removals = new Map<string, RecordRemoval>();
  for (const { record, checkpoint } of records) {
    const order = recordOrderIn(record.body.order);
    if (order?.kind !== 'records.remove' || record.kind !== recordOrderDone[order.kind]) continue;
    if (originOf(record.chain)?.cluster !== order.cluster) continue;
    if (signers && !isOrderOf(record, signers)) continue;
    const id = JSON.stringify([order.cluster, order.chain, order.records]);
    const known = removals.get(id);
    if (known?.isOrdered) continue;
    const { removal, chain, records: numbers, cluster, person, at, reason } = order;
    const of = { removal, chain, records: numbers, cluster, at, reason };
    const stands = known && Date.parse(at) - Date.parse(known.at) < secondWithinMs;
    if (!stands) removals.set(id, { ...of, by: [person], isOrdered: false });
    else if (!known.by.includes(person))
      removals.set(id, {
        ...{ ...of, by: [...known.by, person], isOrdered: true },
        ...(checkpoint !== undefined && { vouchedBy: checkpoint }),
      });
  }
  return [...removals.values()];
}

/**
 * Returns the hold that should have kept the content of a record: one that was there before the second order and has not ended. When a removal was carried out
 * is not on record, so a hold that came later or has ended cannot be judged. Also undefined if another order of two people, under no such hold, names the
 * record.
 */
export function holdAgainst(
  { chain, number }: { readonly chain: string; readonly number: number },
  { removals, holds }: { readonly removals: readonly RecordRemoval[]; readonly holds: readonly RecordHold[] },
  vouched: Vouched,
): RecordHold | undefined {
  const at = Date.parse(vouched.timeOf(vouchedBy(vouched, chain, number) ?? 0) ?? '');
  const standing = holds.filter((hold) => !hold.ended && covers(hold, { chain, from: at, until: at }));
  const by = removals
    .filter((removal) => removal.isOrdered && removal.chain === chain && removal.records.includes(number))
    .map(({ vouchedBy: checkpoint }) => standing.find(({ since }) => since !== undefined && since < (checkpoint ?? Infinity)));
  return by.includes(undefined) ? undefined : by[0];
}

/** Returns, by chain, the numbers of the records whose content two people have had removed. */
export function removedNumbers(removals: readonly RecordRemoval[]): ReadonlyMap<string, ReadonlySet<number>> {
  const numbers = new Map<string, Set<number>>();
  for (const { chain, records, isOrdered } of removals)
    if (isOrdered) numbers.set(chain, new Set([...(numbers.get(chain) ?? []), ...records]));
  return numbers;
}
