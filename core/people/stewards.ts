import { type AuditRecord, originOf } from '../audit/audit.ts';
import { isObject } from '../text/plain-json.ts';

/** The one chain in which all desks record who the stewards are. No cluster's journal has this name. It is never cut. */
export const stewardsChain = 'desk/all/stewards';
export const stewardsKind = 'stewards.named';

/** Body of the record: ids of people, and the source as the name of the desk's cluster. */
export function stewardsBody(stewards: readonly string[], desk: string): Readonly<Record<string, unknown>> {
  return { text: stewardsText(stewards), stewards, desk };
}

export function stewardsText(stewards: readonly unknown[]): string {
  return stewards.length === 0 ? 'nobody is a steward' : `stewards are ${stewards.join(', ')}`;
}

interface Named {
  readonly at: number;
  readonly stewards: readonly unknown[];
  readonly desk: unknown;
}

/** Orders that only stewards may give, as the cell has checked against its own roster. */
const byStewards: ReadonlySet<unknown> = new Set(['records.unhold', 'records.remove', 'evidence.unhold', 'evidence.destroy']);

/** The notary signs at least every 15 minutes, so the time of a record is not known more precisely. */
const vouchedWithinMs = 20 * 60_000;

/**
 * Who was a steward when, as desks have recorded it. A cell judges orders by itself: this requires agreement by a second party with another key. So neither a
 * compromised cell nor a desk can make somebody a steward who was none.
 */
export class StewardHistory {
  readonly #named: readonly Named[];

  /** @param records of desks, each verified to be theirs */
  constructor(records: readonly AuditRecord[]) {
    this.#named = records
      .flatMap(({ chain, kind, at, body }) => {
        const isOne = kind === stewardsKind && chain === stewardsChain && originOf(chain)?.role === 'desk';
        return isOne && Array.isArray(body.stewards) ? [{ at: Date.parse(at), stewards: body.stewards, desk: body.desk }] : [];
      })
      .sort((one, other) => one.at - other.at);
  }

  /** The last stewards named, and by which desk. Absent: nobody was ever named. */
  get last(): Named | undefined {
    return this.#named.at(-1);
  }

  /**
   * Why the order in this record should not have been followed. `unknown`: no record says who was a steward then. Undefined: nothing is wrong with it, or it is
   * no steward's order.
   * @param vouched when the notary signed the first checkpoint that names it, or now (milliseconds since 1970): the record's own time is only its cell's claim
   */
  problemOf({ body }: Pick<AuditRecord, 'body'>, vouched: number): string | undefined {
    const order = isObject(body.order) && isObject(body.order.order) ? body.order.order : {};
    if (!byStewards.has(order.kind)) return undefined;
    const before = this.#named.findLast(({ at }) => at <= vouched - vouchedWithinMs);
    const meanwhile = this.#named.filter(({ at }) => at > vouched - vouchedWithinMs && at <= vouched);
    const then = [...(before ? [before] : []), ...meanwhile];
    if (then.length === 0) return 'unknown';
    if (then.some(({ stewards }) => stewards.includes(order.person))) return undefined;
    return `${String(order.person)} ordered ${String(order.kind)}, but was not a steward at that time according to the desks’ records`;
  }
}
