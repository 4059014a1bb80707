import { controlNames } from './control.ts';
import { incidentNames } from './incident.ts';
import type { Senders } from './message.ts';

const cell = ['cell'] as const;

/** Does nothing, on the way that an incident's first containment takes. */
export const warmUpName = 'warmUp';

/** Which workflows there are, who may start each, and who may send it which signal. What is not in here is refused. */
export const workflowTable: Readonly<
  Record<string, { readonly startedBy: Senders; readonly signals: Readonly<Record<string, Senders>> }>
> = {
  [incidentNames.workflow]: {
    startedBy: cell,
    signals: {
      [incidentNames.alertsSignal]: cell,
      [incidentNames.noteSignal]: cell,
      [incidentNames.voteSignal]: 'anybody',
      [incidentNames.remarkSignal]: 'anybody',
      [incidentNames.ticketNewsSignal]: ['desk'],
    },
  },
  [controlNames.workflow]: {
    startedBy: cell,
    signals: {
      [controlNames.proposeSignal]: 'anybody',
      [controlNames.endSignal]: 'anybody',
      [controlNames.voteSignal]: 'anybody',
      [controlNames.readSignal]: 'anybody',
      [controlNames.evidenceSignal]: 'anybody',
      [controlNames.startIncidentSignal]: 'anybody',
      [controlNames.stormSignal]: cell,
      [controlNames.expireEvidenceSignal]: cell,
      [controlNames.handOverSignal]: cell,
    },
  },
  [warmUpName]: { startedBy: cell, signals: {} },
};

/** Activities of all queues are ordered by a workflow, so by the cell that runs it; a cell and its pools answer to their own cluster's alone. */
export const activitiesOrderedBy = cell;

/** Who answers questions about a workflow, and says how it ended. */
export const workflowsAnsweredBy = cell;

/** Undefined for a signal that the workflow does not know. */
export function sendersOf(workflow: string, signal: string): Senders | undefined {
  const signals = workflowTable[workflow]?.signals ?? {};
  return Object.hasOwn(signals, signal) ? signals[signal] : undefined;
}
