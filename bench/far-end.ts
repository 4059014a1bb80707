import { type Client, defaultPayloadConverter } from '@temporalio/client';
import type { AlertBatch } from '../core/incident.ts';

/** What arrived, counted from the histories: a batch once, however often it is there. */
export interface FarEnd {
  readonly incidents: number;
  readonly runs: number;
  readonly counted: number;
  /** Alerts that went whole in more than one batch. */
  readonly twice: number;
}

/** Reads every history of the namespace that begins with the prefix. */
export async function readFarEnd(client: Client, prefix: string): Promise<FarEnd> {
  const ids = new Set<string>();
  let runs = 0;
  let counted = 0;
  let twice = 0;
  const executions: { workflowId: string; runId: string }[] = [];
  for await (const { workflowId, runId } of client.workflow.list({ query: `WorkflowId STARTS_WITH '${prefix}'` })) {
    executions.push({ workflowId, runId });
  }
  const left = [...executions];
  const next = async (): Promise<void> => {
    for (let one = left.pop(); one; one = left.pop()) {
      ids.add(one.workflowId);
      runs += 1;
      const seen = await countRun(client, one);
      counted += seen.counted;
      twice += seen.twice;
    }
  };
  await Promise.all(Array.from({ length: 16 }, next));
  return { incidents: ids.size, runs, counted, twice };
}

async function countRun(client: Client, { workflowId, runId }: { workflowId: string; runId: string }) {
  const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
  const batches = new Map<string, AlertBatch>();
  const alerts = new Set<string>();
  let twice = 0;
  for (const event of events ?? []) {
    const { workflowExecutionStartedEventAttributes: started, workflowExecutionSignaledEventAttributes: signalled } = event;
    const [payload] = started?.input?.payloads ?? signalled?.input?.payloads ?? [];
    if (!payload) continue;
    const value: { batch: AlertBatch } | AlertBatch = defaultPayloadConverter.fromPayload(payload);
    const batch = 'batch' in value ? value.batch : value;
    if (batches.has(batch.id)) continue;
    batches.set(batch.id, batch);
    for (const { id } of batch.alerts) {
      if (alerts.has(id)) twice += 1;
      alerts.add(id);
    }
  }
  const counts = [...batches.values()].flatMap((batch) => batch.counts);
  return { counted: counts.reduce((sum, { count }) => sum + count, 0), twice };
}
