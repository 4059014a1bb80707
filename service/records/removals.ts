import { originProblem, recordContent } from '../../core/audit/audit.ts';
import { provenIn } from '../../core/audit/audit-check.ts';
import type { AuditStore, StoredRecord } from '../../core/audit/audit-store.ts';
import { covers } from '../../core/audit/record-holds.ts';
import { type RecordRemoval, removalsIn } from '../../core/audit/record-removals.ts';
import type { Trust } from '../../core/messages/sender.ts';
import { recordOrderDone } from '../../core/orders/record-hold.ts';
import { type RetentionParts, readSoundly } from './retention.ts';

export interface Removed {
  readonly records: number;
  /** Number of orders whose records are held. */
  readonly held: number;
  /** Why something is kept although its removal was ordered and it is not held. */
  readonly problems: readonly string[];
}

/**
 * Removes the content of records if two people have ordered it, once the notary vouches for both orders and no hold covers them. Relies on the signed records
 * alone: the process that removes needs no key. The hash of the content stays, so the chain is unchanged.
 * @throws FB_ERR_AUDIT_DAMAGED
 */
export async function carryOutRemovals(parts: RetentionParts, { isTrial = false } = {}): Promise<Removed> {
  const { store, trust } = parts;
  if (!(await isAnyPending(store))) return { records: 0, held: 0, problems: [] };
  const { removals, holds, vouched } = await readSoundly(parts);
  const problems: string[] = [];
  let [records, held] = [0, 0];
  for (const removal of removals) {
    if (!removal.isOrdered || removal.vouchedBy === undefined) continue;
    const { chain } = removal;
    const left = await leftOf(removal, store);
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
      const problem = signed ? originProblem(signed, trust) : 'is not a record';
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

/** Returns what people have ordered, as attested by the cells, which have checked who did. */
export async function orderedRemovals(store: Pick<AuditStore, 'eachOfKinds'>, trust: Trust): Promise<readonly RecordRemoval[]> {
  return removalsIn((await provenIn(ordersOnRecord(store), trust)).records.map((record) => ({ record })));
}

function ordersOnRecord(store: Pick<AuditStore, 'eachOfKinds'>): AsyncIterable<readonly StoredRecord[]> {
  return store.eachOfKinds({ kinds: [recordOrderDone['records.remove']], since: '' });
}

/**
 * Proving an order requires reading all checkpoints, so this is skipped if no named record still has content, which is nearly always. Unproven orders count
 * here; they are detected later.
 */
async function isAnyPending(store: Pick<AuditStore, 'eachOfKinds' | 'numbered'>): Promise<boolean> {
  for await (const rows of ordersOnRecord(store)) {
    const told = rows.flatMap(({ signed }) => (signed ? [{ record: signed.record }] : []));
    for (const removal of removalsIn(told)) if ((await leftOf(removal, store)).length > 0) return true;
  }
  return false;
}

/** Returns the rows named by the order that still have content. */
async function leftOf({ chain, records }: RecordRemoval, store: Pick<AuditStore, 'numbered'>): Promise<readonly StoredRecord[]> {
  const left: StoredRecord[] = [];
  for await (const rows of store.numbered(chain, records))
    left.push(...rows.filter(({ signed }) => signed !== undefined && signed.removed === undefined));
  return left;
}
