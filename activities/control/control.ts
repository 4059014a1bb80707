import type { Alert } from '../../core/alert/alert.ts';
import type { Level } from '../../core/decide/approval.ts';
import type { ControlActivities, OrderCheck } from '../../core/decide/control.ts';
import { type DecisionProposal, questionOf } from '../../core/decide/decision.ts';
import { needsStepUp } from '../../core/decide/step-up.ts';
import { signedReadEvidenceSchema } from '../../core/orders/evidence-access.schema.ts';
import { signedIncidentOrderSchema } from '../../core/orders/incident-order.schema.ts';
import { alertOfOrder } from '../../core/orders/incident-order.ts';
import { checkIncidentOrder } from '../../core/orders/incident-order-check.ts';
import { signedRestraintEndSchema, signedRestraintSchema } from '../../core/orders/restraint.schema.ts';
import type { RestraintTerms } from '../../core/orders/restraint.ts';
import { checkEndSignIn, checkRestraintEnd, checkRestraintProposal } from '../../core/orders/restraint-check.ts';
import { signedEndSchema, signedProposalSchema } from '../../core/orders/suppression.schema.ts';
import {
  type Beliefs,
  type Checked,
  checkEnd,
  checkProposal,
  checkReading,
  isFresh,
} from '../../core/orders/suppression-check.ts';
import type { Person } from '../../core/people/roster.ts';
import type { SignInReader } from '../chokepoint/chokepoint.ts';

/** By the plan of the yes, as it will be asked. */
function yesNeedsSignIn(proposal: DecisionProposal, { stepUp }: Beliefs): boolean {
  if (!stepUp) return false;
  const { severity, choices } = questionOf({ proposal, control: { id: '', run: '' }, levels: [] });
  return choices.some(({ plans }) => needsStepUp({ plans, severity }, stepUp.policy));
}

const malformed = { ok: false, reason: 'This order is not of the form that is known.' } as const;

/** What the control workflow asks of the cell: whether an order from outside is signed by who may give it. */
export function createControlActivities(parts: {
  readonly beliefs: () => Beliefs;
  /** Who is asked about a decision. */
  readonly levels: readonly Level[];
  /** The intake's: which incident the alert has become, or why none. */
  readonly raise: (alert: Alert) => Promise<{ readonly incident: string } | { readonly reason: string }>;
  /** Absent: no order needs a sign-in. */
  readonly signIns?: Pick<SignInReader, 'policy' | 'readToken'>;
  /** The terms of a restraint that this cell believes. */
  readonly inForce?: (restraint: string) => RestraintTerms | undefined;
}): ControlActivities {
  const { beliefs, levels, raise, signIns, inForce } = parts;
  type Answer = Checked<{ readonly person: Person }>;
  const checkedOrder = <Given>(order: Given, checked: Answer): OrderCheck<Given> =>
    checked.ok ? { ok: true, order, name: checked.person.name, levels } : checked;
  const proposal = <Given extends DecisionProposal>(order: Given, checked: Answer): OrderCheck<Given> => {
    if (checked.ok && !isFresh(order.order.terms.from, beliefs().now))
      return { ok: false, reason: 'It was signed at another time: propose it anew.' };
    const answer = checkedOrder(order, checked);
    return answer.ok && yesNeedsSignIn(order, beliefs()) ? { ...answer, stepUp: true } : answer;
  };
  return {
    checkProposal: async (signed) => {
      const suppression = signedProposalSchema.safeParse(signed);
      if (suppression.success) return proposal(suppression.data, checkProposal(suppression.data, beliefs()));
      const restraint = signedRestraintSchema.safeParse(signed);
      if (restraint.success) return proposal(restraint.data, checkRestraintProposal(restraint.data, beliefs()));
      return malformed;
    },
    checkEnd: async (signed) => {
      const suppression = signedEndSchema.safeParse(signed);
      if (suppression.success) return checkedOrder(suppression.data, checkEnd(suppression.data, beliefs()));
      const restraint = signedRestraintEndSchema.safeParse(signed);
      if (!restraint.success) return malformed;
      const order = restraint.data;
      const checked = checkRestraintEnd(order, beliefs());
      if (!checked.ok || !signIns) return checkedOrder(order, checked);
      const { idToken } = order;
      // An order that was kept back, to be given when nobody expects it, must not lean on an old sign-in.
      const at = Date.parse(order.order.at);
      const isOld = idToken !== undefined && !isFresh(order.order.at, beliefs().now);
      const signIn = idToken === undefined || isOld ? undefined : await signIns.readToken(idToken, at);
      const ended = inForce?.(order.order.restraint);
      return checkedOrder(order, checkEndSignIn(order, checked.person, { ended, policy: signIns.policy, signIn }));
    },
    checkReading: async (signed) => {
      const parsed = signedReadEvidenceSchema.safeParse(signed);
      if (!parsed.success) return malformed;
      return checkedOrder(parsed.data, checkReading(parsed.data, beliefs()));
    },
    takeIncidentOrder: async (signed) => {
      const parsed = signedIncidentOrderSchema.safeParse(signed);
      if (!parsed.success) return malformed;
      const order = parsed.data;
      const checked = checkIncidentOrder(order, beliefs());
      if (!checked.ok) return checked;
      const { name } = checked.person;
      const raised = await raise(alertOfOrder(order.order, name));
      return 'incident' in raised ? { ok: true, order, name, incident: raised.incident } : { ok: false, reason: raised.reason };
    },
  };
}
