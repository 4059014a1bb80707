import { Context } from '@temporalio/activity';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { FirebreakError } from '../../core/errors.ts';
import type { IncidentRef } from '../../core/incident.ts';

const callMs = 5_000;

/**
 * When an incident began, as Temporal's server keeps it: neither a workflow nor who schedules an activity can say otherwise. Asked from within
 * an activity, by its worker's own connection. Undefined: the server knows no such incident.
 * @throws FB_ERR_UNAVAILABLE
 */
export async function incidentBegan(incident: IncidentRef, withinMs = callMs): Promise<number | undefined> {
  const { client } = Context.current();
  try {
    return await client.withDeadline(Date.now() + withinMs, () => startOf(client, incident));
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw new FirebreakError('FB_ERR_UNAVAILABLE', `Temporal cannot say when ${incident.id} began`);
  }
}

async function startOf(client: Client, { id, run }: IncidentRef): Promise<number | undefined> {
  try {
    return (await client.workflow.getHandle(id, run).describe()).startTime.getTime();
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
  // An incident that went on as new for longer than runs are retained: it began before its newest run did.
  const newest = await client.workflow.getHandle(id).describe();
  return newest.raw.workflowExecutionInfo?.firstRunId === run ? newest.startTime.getTime() : undefined;
}
