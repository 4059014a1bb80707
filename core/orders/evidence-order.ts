import { type EvidenceClass, evidenceClasses } from '../evidence/evidence.ts';
import { isInAnyGroup, type Person } from '../people/roster.ts';
import type { SignedOrder } from './suppression.ts';
import { type Beliefs, type Checked, isFresh, signedBy } from './suppression-check.ts';

/** A person's order about what is kept of an incident, signed by their own key: destroy it, hold it, end the hold. */
export interface EvidenceOrder {
  readonly version: 1;
  readonly kind: 'evidence.destroy' | 'evidence.hold' | 'evidence.unhold';
  readonly person: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly cluster: string;
  /** The incident's id. */
  readonly incident: string;
  readonly reason: string;
  /** Of an order to destroy: only this run of the incident. */
  readonly run?: string;
  /** Of an order to destroy: only these classes. */
  readonly classes?: readonly EvidenceClass[];
}

export type SignedEvidenceOrder = SignedOrder<EvidenceOrder>;

/** What such an order does, for records and for who waits. */
export const doneBy = {
  'evidence.destroy': 'evidence.destroyed',
  'evidence.hold': 'evidence.held',
  'evidence.unhold': 'evidence.unheld',
} as const;

/** What the first of two orders to end a hold does. */
export const unholdAsked = 'evidence.unhold-asked';

/**
 * Whether a person may give this order. To hold strengthens, and is for who may read evidence; to destroy, and to end a hold, is for the groups
 * that the configuration names for it, and by default for nobody.
 */
export function checkEvidenceOrder(
  signed: SignedEvidenceOrder,
  beliefs: Beliefs,
  stewards: readonly string[],
): Checked<{ readonly person: Person }> {
  const { order } = signed;
  if (order.cluster !== beliefs.cluster) return { ok: false, reason: 'It is about another cluster.' };
  const who = signedBy(signed, beliefs);
  if (!who.ok) return who;
  const groups = order.kind === 'evidence.hold' ? [...beliefs.groups, ...stewards] : stewards;
  if (groups.length === 0)
    return { ok: false, reason: 'Nobody may do that: the configuration names no group in evidence.stewards.' };
  if (!isInAnyGroup(beliefs.roster, order.person, groups))
    return { ok: false, reason: `Only ${groups.join(' or ')} may do that.` };
  return isFresh(order.at, beliefs.now) ? who : { ok: false, reason: 'It was signed at another time: order it anew.' };
}

/** Whether an order to destroy means this key. */
export function isMeant(
  { incident, run, classes = evidenceClasses }: EvidenceOrder,
  key: { readonly incident: string; readonly run: string; readonly class: EvidenceClass },
): boolean {
  return key.incident === incident && (run === undefined || key.run === run) && classes.includes(key.class);
}
