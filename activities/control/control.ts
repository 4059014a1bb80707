import type { Alert } from '../../core/alert/alert.ts';
import type { Level } from '../../core/decide/approval.ts';
import type { ControlActivities } from '../../core/decide/control.ts';
import {
  isEnd,
  isProposal,
  type PromptOrder,
  type Propose,
  questionOf,
  type SignedProposal,
} from '../../core/decide/decision.ts';
import { needsStepUp, type SignIn } from '../../core/decide/step-up.ts';
import { alertOfOrder } from '../../core/orders/incident-order.ts';
import { signedOrderSchema } from '../../core/orders/order.schema.ts';
import type { SignedEnd } from '../../core/orders/order.ts';
import { type Beliefs, type Checked, checkEndSignIn, checkOrder, isFresh } from '../../core/orders/order-check.ts';
import type { PromotionTerms } from '../../core/orders/promotion.ts';
import type { Person } from '../../core/people/roster.ts';
import type { SignInReader } from '../chokepoint/parts.ts';

/** Decided by the plan of the yes, as it will be put to people. */
function yesNeedsSignIn(proposal: SignedProposal, { stepUp }: Beliefs): boolean {
  if (!stepUp) return false;
  const { severity, choices } = questionOf({ proposal, control: { id: '', run: '' }, levels: [] });
  return choices.some(({ plans }) => needsStepUp({ plans, severity }, stepUp.policy));
}

/** What the control workflow asks of the cell: whether an order from outside is signed by somebody who may give it. */
export function createControlActivities(parts: {
  readonly beliefs: () => Beliefs;
  /** Who is asked to confirm a decision. */
  readonly levels: readonly Level[];
  /** Passes the alert to the intake: returns the incident that it became, or why there is none. */
  readonly raise: (alert: Alert) => Promise<{ readonly incident: string } | { readonly reason: string }>;
  /** Absent: no order needs a sign-in. */
  readonly signIns?: Pick<SignInReader, 'policy' | 'readToken'>;
  /** Why a version of a pack may not be promoted under these terms. Absent: no version may. */
  readonly problemOfPromotion?: (terms: PromotionTerms) => Promise<string | undefined>;
  /** A decision that this cell considers valid, by the id of its terms. */
  readonly inForce?: (decision: string) => Propose | undefined;
  /** Called when a person's order to end something is valid: it holds here from now on, whatever becomes of the workflow that asked. */
  readonly ended?: (end: SignedEnd, signIn: SignIn | undefined) => void;
}): ControlActivities {
  const { beliefs, levels, raise, signIns, inForce, ended, problemOfPromotion } = parts;

  const signedIn = async (end: SignedEnd, person: Person): Promise<Checked<{ readonly signIn?: SignIn | undefined }>> => {
    if (!signIns) return { ok: true };
    const { idToken, order } = end;
    // An order that was held back, to be used when nobody expects it, must not rely on an old sign-in.
    const isOld = idToken !== undefined && !isFresh(order.at, beliefs().now);
    const signIn = idToken === undefined || isOld ? undefined : await signIns.readToken(idToken, Date.parse(order.at));
    const checked = checkEndSignIn(end, person, { ended: inForce?.(order.decision), policy: signIns.policy, signIn });
    return checked.ok ? { ok: true, signIn } : checked;
  };

  return {
    takeOrder: async (given) => {
      const parsed = signedOrderSchema.safeParse(given);
      if (!parsed.success) return { ok: false, reason: 'This order has an unknown format.' };
      const order: PromptOrder = parsed.data;
      const checked = checkOrder(order, beliefs());
      if (!checked.ok) return checked;
      const { person } = checked;
      const answer = { ok: true, order, name: person.name, levels } as const;
      if (isProposal(order)) {
        if (!isFresh(order.order.terms.from, beliefs().now))
          return { ok: false, reason: 'The signature is not recent: propose it again.' };
        if (order.order.kind === 'promotion.propose') {
          const problem = problemOfPromotion ? await problemOfPromotion(order.order.terms) : 'No packs are promoted here.';
          if (problem !== undefined) return { ok: false, reason: problem };
        }
        return yesNeedsSignIn(order, beliefs()) ? { ...answer, stepUp: true } : answer;
      }
      if (isEnd(order)) {
        const signed = await signedIn(order, person);
        if (!signed.ok) return signed;
        ended?.(order, signed.signIn);
        return answer;
      }
      if (order.order.kind !== 'incident.start') return answer;
      const raised = await raise(alertOfOrder(order.order, person.name));
      return 'incident' in raised ? { ...answer, incident: raised.incident } : { ok: false, reason: raised.reason };
    },
  };
}
