import { WorkflowNotFoundError } from '@temporalio/client';
import { FirebreakError } from '../../core/errors.ts';
import type { Signer } from '../../core/messages/signing.ts';
import type { RerunIncident } from '../../core/orders/incident-order.ts';
import { isOpenRun } from '../temporal/held-up-runs.ts';
import { giveOrder, signedWith } from './orders.ts';
import type { Session } from './session.ts';

const callMs = 10_000;

/**
 * Ends the run of an open incident, so that the cell begins it again with its current build, all its alerts and open questions. The order is on record first,
 * by the control workflow: a run that is set aside can record nothing.
 *
 * @throws FB_ERR_UNKNOWN_ID if no such incident is open; otherwise as `giveOrder`.
 */
export async function rerunIncident(
  session: Session,
  { incident, person, reason }: Pick<RerunIncident, 'incident' | 'person' | 'reason'>,
  signer: Signer,
): Promise<{ readonly run: string }> {
  const { client, config } = session;
  const run = await openRunOf(session, incident);
  const at = new Date().toISOString();
  const order: RerunIncident = { version: 1, kind: 'incident.rerun', person, at, cluster: config.cluster, incident, run, reason };
  await giveOrder(session, await signedWith(order, signer), (_, ours) => ours.find(({ kind }) => kind === 'incident.rerun'));
  // This run and no other: it may have been begun again meanwhile.
  const handle = client.workflow.getHandle(incident, run);
  try {
    await client.withDeadline(Date.now() + callMs, () => handle.terminate(`firebreak incidents rerun, by ${person}`));
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
  return { run };
}

async function openRunOf({ client }: Session, incident: string): Promise<string> {
  try {
    const found = await client.withDeadline(Date.now() + callMs, () => client.workflow.getHandle(incident).describe());
    if (isOpenRun(found)) return found.runId;
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
  throw new FirebreakError('FB_ERR_UNKNOWN_ID', `no incident ${incident} is open: firebreak incidents list shows those that are`);
}
