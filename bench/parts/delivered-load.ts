import { type Client, defaultPayloadConverter } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { type AlertBatch, type IncidentStart, incidentNames } from '../../core/incident/incident.ts';
import type { IncidentInput } from '../../core/incident/incident-input.ts';

/** What arrived, counted from the histories: each batch once, however often it occurs. */
export interface DeliveredLoad {
  readonly incidents: number;
  readonly runs: number;
  readonly counted: number;
  /** Alerts that were delivered whole in more than one batch. */
  readonly twice: number;
}

/** Reads every history of the namespace whose id starts with the prefix. */
export async function readDeliveredLoad(client: Client, prefix: string): Promise<DeliveredLoad> {
  const ids = new Set<string>();
  let runs = 0;
  let counted = 0;
  let twice = 0;
  const executions: RunName[] = [];
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

async function countRun(client: Client, run: RunName) {
  const alerts = new Set<string>();
  const batches = await batchesOf(client, run);
  let twice = 0;
  for (const { batch } of batches) {
    for (const { id } of batch.alerts) {
      if (alerts.has(id)) twice += 1;
      alerts.add(id);
    }
  }
  const counts = batches.flatMap(({ batch }) => batch.counts);
  return { counted: counts.reduce((sum, { count }) => sum + count, 0), twice };
}

export interface RunName {
  readonly workflowId: string;
  readonly runId: string;
}

export interface ArrivedBatch {
  readonly batch: AlertBatch;
  /** When Temporal received it, milliseconds since 1970. */
  readonly at: number;
}

/** What a run received, in order, from its history: each batch once, however often it occurs. What an earlier run received belongs to that run. */
export async function batchesOf(client: Client, { workflowId, runId }: RunName): Promise<readonly ArrivedBatch[]> {
  const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
  const batches = new Map<string, ArrivedBatch>();
  for (const { eventTime, ...event } of events ?? []) {
    const { workflowExecutionStartedEventAttributes: started, workflowExecutionSignaledEventAttributes: signalled } = event;
    if (started?.continuedExecutionRunId) continue;
    if (signalled && signalled.signalName !== incidentNames.alertsSignal) continue;
    const [sealed] = started?.input?.payloads ?? signalled?.input?.payloads ?? [];
    if (!sealed) continue;
    const batch = batchIn(defaultPayloadConverter.fromPayload(await opened(client, sealed)));
    const at = Number(eventTime?.seconds ?? 0) * 1_000 + Number(eventTime?.nanos ?? 0) / 1e6;
    if (!batches.has(batch.id)) batches.set(batch.id, { batch, at });
  }
  return [...batches.values()];
}

async function opened(client: Client, sealed: Payload): Promise<Payload> {
  let payloads = [sealed];
  for (const codec of client.options.loadedDataConverter.payloadCodecs) payloads = await codec.decode(payloads);
  return payloads[0] ?? sealed;
}

type Delivered = IncidentInput | IncidentStart | AlertBatch;

/** The argument of a start (the service's or that of `counting-incident.ts`) or of a signal; as the codec passes it, with its sender, or by itself. */
function batchIn(
  value: Delivered | { readonly from: unknown; readonly value: { readonly value: readonly [Delivered] } },
): AlertBatch {
  if ('from' in value) return batchIn(value.value.value[0]);
  if ('start' in value) return value.start.batch;
  return 'batch' in value ? value.batch : value;
}
