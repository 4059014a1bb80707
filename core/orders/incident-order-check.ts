import type { Person } from '../people/roster.ts';
import type { SignedIncidentOrder } from './incident-order.ts';
import { type Beliefs, type Checked, isFresh, signedBy } from './suppression-check.ts';

/** Whether a person may start an incident: of the roster, signed for them, of today, in this cluster. */
export function checkIncidentOrder(signed: SignedIncidentOrder, beliefs: Beliefs): Checked<{ readonly person: Person }> {
  const { terms, at, via } = signed.order;
  if (terms.cluster !== beliefs.cluster) return { ok: false, reason: 'It is about another cluster.' };
  if (terms.wish === 'quarantine' && terms.severity !== 'critical')
    return { ok: false, reason: 'A quarantine that is ordered is critical.' };
  const person = signedBy(signed, beliefs, via);
  if (!person.ok) return person;
  return isFresh(at, beliefs.now) ? person : { ok: false, reason: 'It was signed at another time: order it anew.' };
}
