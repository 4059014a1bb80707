import { type ControlState, controlNames, type RestraintState } from '../../core/decide/control.ts';
import { endNeedsStepUp } from '../../core/decide/step-up.ts';
import {
  type RestraintScope,
  restraintPlan,
  type SignedRestraint,
  type SignedRestraintEnd,
} from '../../core/orders/restraint.ts';
import type { Config } from '../config/load.ts';
import { incidentState, type Session } from './session.ts';
import { giveOrder, mustBeId } from './signing.ts';

/**
 * Puts a proposal to the control workflow, whoever signed it for its person, and waits until people are asked.
 * @throws FB_ERR_VOTE_REFUSED with the cell’s reason; FB_ERR_UNAVAILABLE when it is sent, and nobody has answered yet.
 */
export function proposeRestraint(session: Session, order: SignedRestraint): Promise<RestraintState> {
  return giveOrder(session, {
    signal: controlNames.proposeSignal,
    order,
    refused: 'restraint.refused',
    found: (state) => {
      const found = restraintOf(state, order.order.terms.id);
      return found?.status.state === 'proposed' ? found : undefined;
    },
  });
}

/** @throws as `proposeRestraint`; FB_ERR_UNKNOWN_ID for what is no id. */
export async function endRestraint(session: Session, order: SignedRestraintEnd): Promise<RestraintState> {
  mustBeId(order.order.restraint, 'freeze, observe mode or broken glass');
  return giveOrder(session, {
    signal: controlNames.endSignal,
    order,
    refused: 'restraint.refused',
    // By this very order: one that was over before is refused.
    found: (state) => {
      const found = restraintOf(state, order.order.restraint);
      return found?.status.state === 'ended' && found.status.by.signature === order.signature ? found : undefined;
    },
  });
}

/** Whether the end of what is in force needs a sign-in, by this configuration. */
export function endNeedsSignIn({ stepUp }: Pick<Config, 'stepUp'>, restraint: RestraintState | undefined): boolean {
  if (!stepUp || restraint?.status.state !== 'active') return false;
  return endNeedsStepUp(restraintPlan(restraint.proposal.order.terms), stepUp);
}

/** What who proposed it should know about what it is for: a name that is written wrong looks like any other. */
export async function noteOn(session: Session, scope: RestraintScope): Promise<string | undefined> {
  if (scope.kind !== 'incident') return undefined;
  const state = await incidentState(session, { id: scope.name }).catch(() => undefined);
  return state?.open ? undefined : 'No incident of this name is open now: it would hold for the next one.';
}

export function restraintOf(state: ControlState, id: string): RestraintState | undefined {
  return state.restraints?.find(({ proposal }) => proposal.order.terms.id === id);
}
