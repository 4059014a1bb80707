import { type ControlState, controlNames, type SuppressionState } from '../../core/decide/control.ts';
import type { SignedEnd, SignedProposal } from '../../core/orders/suppression.ts';
import type { Session } from './session.ts';
import { giveOrder, mustBeId } from './signing.ts';

/**
 * Puts a proposal to the control workflow, whoever signed it for its person, and waits until people are asked.
 * @throws FB_ERR_VOTE_REFUSED with the cell’s reason; FB_ERR_UNAVAILABLE when it is sent, and nobody has answered yet.
 */
export function proposeSuppression(session: Session, order: SignedProposal): Promise<SuppressionState> {
  return giveOrder(session, {
    signal: controlNames.proposeSignal,
    order,
    refused: 'suppression.refused',
    found: (state) => {
      const found = suppressionOf(state, order.order.terms.id);
      return found?.status.state === 'proposed' ? found : undefined;
    },
  });
}

/** @throws as `proposeSuppression`; FB_ERR_UNKNOWN_ID for what is no id. */
export async function endSuppression(session: Session, order: SignedEnd): Promise<SuppressionState> {
  mustBeId(order.order.suppression, 'suppression');
  return giveOrder(session, {
    signal: controlNames.endSignal,
    order,
    refused: 'suppression.refused',
    // By this very order: one that was over before is refused.
    found: (state) => {
      const found = suppressionOf(state, order.order.suppression);
      return found?.status.state === 'ended' && found.status.by.signature === order.signature ? found : undefined;
    },
  });
}

export function suppressionOf(state: ControlState, id: string): SuppressionState | undefined {
  return state.suppressions.find(({ proposal }) => proposal.order.terms.id === id);
}
