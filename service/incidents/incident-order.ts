import { controlNames } from '../../core/decide/control.ts';
import type { IncidentTerms, SignedIncidentOrder } from '../../core/orders/incident-order.ts';
import type { Session } from './session.ts';
import { giveOrder } from './signing.ts';

/**
 * Puts the order to the control workflow, whoever signed it for its person, and waits until the cell's intake has taken it. Returns the id of
 * the incident that has it now.
 * @throws FB_ERR_VOTE_REFUSED with the cell’s reason; FB_ERR_UNAVAILABLE when it is sent, and nobody has answered yet.
 */
export function orderIncident(session: Session, signed: SignedIncidentOrder): Promise<string> {
  return giveOrder(session, {
    signal: controlNames.startIncidentSignal,
    order: signed,
    refused: 'incident.refused',
    found: (_state, ours) =>
      ours.flatMap(({ kind, text }) => {
        const [, started] = kind === 'incident.started' ? (/ started (\S+) \(/.exec(text) ?? []) : [];
        return started === undefined ? [] : [started];
      })[0],
  });
}

/** What is told to who ordered it; `incident` without the cluster. */
export function startedText(incident: string, { wish, pod }: Pick<IncidentTerms, 'wish' | 'pod'>): string {
  const what = wish === 'quarantine' ? `the quarantine of ${pod.namespace}/${pod.name} is ordered` : 'the others are asked';
  return `Incident ${incident}: ${what}. You started it, so you decide nothing on it while somebody else can.`;
}
