import { type HoldRecords, recordOrderDone, recordOrderIn, secondWithinMs, type UnholdRecords } from '../orders/record-hold.ts';
import { type AuditRecord, originOf } from './audit.ts';
import { isOrderOf, type VoteSigners } from './audit-decisions.ts';

/** A hold, according to the records of the control chains. */
export interface RecordHold {
  readonly order: HoldRecords;
  /** The checkpoint that vouches for its record; absent: none yet. */
  readonly since?: number;
  /** The person who has ordered its end, while no second person has. */
  readonly asked?: { readonly person: string; readonly at: string };
  readonly ended?: {
    /** The two people. */
    readonly by: readonly string[];
    readonly at: string;
    readonly reason: string;
    /** The checkpoint that vouches for the second order. */
    readonly checkpoint?: number;
  };
}

/** A record that its cell has signed, with the first checkpoint that vouches for it. */
export interface VouchedRecord {
  readonly record: AuditRecord;
  readonly checkpoint?: number | undefined;
}

/**
 * Returns the holds. They count as soon as a cell has them on record; their ends count only with the signatures of two people. So nobody who could forge a
 * record can get anything cut by it, and the hold of a person who left, and whose key is unknown, stays in force. Records by chain, each in its order.
 */
export function holdsIn(records: Iterable<VouchedRecord>, signers: VoteSigners): readonly RecordHold[] {
  const holds = new Map<string, RecordHold>();
  for (const { record, checkpoint } of records) {
    const order = recordOrderIn(record.body.order);
    if (!order || record.kind !== recordOrderDone[order.kind] || originOf(record.chain)?.cluster !== order.cluster) continue;
    if (order.kind === 'records.remove') continue;
    const id = `${order.cluster} ${order.hold}`;
    const known = holds.get(id);
    if (order.kind === 'records.hold') {
      if (!known) holds.set(id, { order, ...(checkpoint !== undefined && { since: checkpoint }) });
    } else if (known && !known.ended && isOrderOf(record, signers)) holds.set(id, askedToEnd(known, order, checkpoint));
  }
  return [...holds.values()];
}

function askedToEnd(hold: RecordHold, { person, at, reason }: UnholdRecords, checkpoint: number | undefined): RecordHold {
  const { order, since, asked } = hold;
  const begun = { order, ...(since !== undefined && { since }) };
  const stands = asked && Date.parse(at) - Date.parse(asked.at) < secondWithinMs;
  if (!stands) return { ...begun, asked: { person, at } };
  if (asked.person === person) return hold;
  return {
    ...begun,
    ended: { by: [asked.person, person], at, reason, ...(checkpoint !== undefined && { checkpoint }) },
  };
}

/** The range of places, and when the notary vouched for the first and the last of them (milliseconds since 1970). */
interface HeldQuestion {
  readonly chain: string;
  readonly from: number;
  readonly until: number;
}

/** The notary signs at least each minute while it runs; if it gets to a record later, that record is held rather too long. */
const vouchedWithinMs = 20 * 60_000;

export function covers({ order: { scope, cluster } }: Pick<RecordHold, 'order'>, { chain, from, until }: HeldQuestion): boolean {
  if (scope.kind === 'time') {
    const own = originOf(chain);
    const isOurs = own?.cluster === cluster || own?.role === 'desk';
    return isOurs && Date.parse(scope.from) <= until && Date.parse(scope.until) >= from - vouchedWithinMs;
  }
  const cut = chain.lastIndexOf('@');
  if (cut === -1) return false;
  return chain.slice(0, cut) === scope.incident && (scope.run === undefined || chain.slice(cut + 1) === scope.run);
}

/** Returns whether the hold was in force, as seen by the notary, when this checkpoint was signed. */
export function wasInForce({ since, ended }: RecordHold, checkpoint: number): boolean {
  if (since === undefined || since >= checkpoint) return false;
  return !ended || ended.checkpoint === undefined || ended.checkpoint > checkpoint;
}
