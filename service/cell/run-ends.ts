import { type Client, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import type { ComesFrom, OriginLookup, StartMemory } from '../../activities/memory/start-memory.ts';
import { hasCode } from '../../core/errors.ts';
import { readMessage } from '../../core/messages/message.ts';
import { workflowTable } from '../../core/messages/message-table.ts';
import { resultOfRun } from '../temporal/speaker.ts';

const callMs = 5_000;
/** Each reset of a reset counts as one more; more than this number are refused. */
const mostResets = 50;

interface ClosedRun {
  readonly id: string;
  /** Identified by its first run if it may have continued as new. */
  readonly run: string;
  readonly first: string;
}

/** Whether that run, through all its continuations as new, has ended by itself: only a cell can say that. @throws if Temporal does not answer */
export async function hasSignedEnd(client: Client, type: string, { id, run, first }: ClosedRun): Promise<boolean> {
  try {
    await client.withDeadline(Date.now() + callMs, () => resultOfRun(client.workflow.getHandle(id, run), type, first));
    return true;
  } catch (error) {
    const noEnd = error instanceof WorkflowFailedError || error instanceof WorkflowNotFoundError;
    if (noEnd || hasCode(error, 'FB_ERR_MESSAGE_REFUSED')) return false;
    throw error;
  }
}

/**
 * Finds out where a run comes from. A reset run continues as another run, whose history names the one it was cut from; that one names what it was last reset
 * to. Anyone who can reach Temporal can reset an ended run in the moment before the cell has seen the end. They can also start their own run under the same id,
 * which sends what ours has sent: no earlier run leads to that one.
 */
export function originsKnownTo(client: Client): OriginLookup {
  return async ({ workflow, run, earlier }) => {
    const start = await startOf(client, workflow, run);
    const [first = start?.first] = earlier;
    if (!start || start.first !== first) return 'unknown';
    if (start.original === run) return 'open';
    const looked = new Set<string>();
    const waiting = [start.original, ...earlier];
    for (let before = waiting.shift(); before !== undefined && looked.size < mostResets; before = waiting.shift()) {
      if (before === run || looked.has(before)) continue;
      looked.add(before);
      const stand = await standOf(client, workflow, { run: before, ...start });
      if (stand.from !== 'open') return stand.from;
      if (stand.setBackTo) waiting.push(stand.setBackTo);
    }
    return waiting.length > 0 ? 'unknown' : 'open';
  };
}

/** Whether a cell has begun the workflow's run, identified by its first run. @throws if Temporal does not answer */
type BegunLookup = (workflow: string, first: string) => Promise<boolean>;

/**
 * Anyone who can reach Temporal can begin a workflow under any id, and keep its tasks for their own workers: it looks as if it ran, and answers nothing. This
 * check uses what this cell remembers and, for another cell's run, the start that the cell has signed.
 */
export function beginningsKnownTo(client: Client, starts: Pick<StartMemory, 'isKnown' | 'mayComeOf'>): BegunLookup {
  return async (workflow, first) => {
    if (starts.isKnown(workflow, first)) return true;
    const start = await signedStartOf(client, workflow, first);
    return start !== undefined && starts.mayComeOf(workflow, start);
  };
}

async function signedStartOf(client: Client, workflow: string, run: string) {
  const { namespace, loadedDataConverter } = client.options;
  const attributes = await firstEventOf(client, workflow, run);
  const type = attributes?.workflowType?.name ?? '';
  const from = workflowTable[type]?.startedBy;
  let payloads = (attributes?.input?.payloads ?? []).slice(0, 1);
  const context = { type: 'workflow', namespace, workflowId: workflow } as const;
  for (const codec of loadedDataConverter.payloadCodecs) payloads = await codec.decode(payloads, context);
  const [payload] = payloads;
  if (!payload || from === undefined || from === 'nobody') return undefined;
  const received = loadedDataConverter.payloadConverter.fromPayload(payload);
  const read = readMessage(received, { to: `start:${type}`, workflow, from });
  return read.ok ? read.message.start : undefined;
}

interface Start {
  readonly type: string;
  readonly original: string;
  readonly first: string;
}

async function firstEventOf(client: Client, workflow: string, run: string) {
  const { namespace } = client.options;
  const execution = { workflowId: workflow, runId: run };
  const { history } = await client.withDeadline(Date.now() + callMs, () =>
    client.workflowService.getWorkflowExecutionHistory({ namespace, execution, maximumPageSize: 1 }),
  );
  return history?.events?.[0]?.workflowExecutionStartedEventAttributes;
}

/** Whether this run is the continuation of a run that Temporal was told to reset. @throws if Temporal does not answer */
export async function isSetBack(client: Client, workflow: string, run: string): Promise<boolean> {
  const start = await startOf(client, workflow, run);
  return start !== undefined && start.original !== run;
}

async function startOf(client: Client, workflow: string, run: string): Promise<Start | undefined> {
  const attributes = await firstEventOf(client, workflow, run);
  const { workflowType, originalExecutionRunId: original, firstExecutionRunId: first } = attributes ?? {};
  return original && first ? { type: workflowType?.name ?? '', original, first } : undefined;
}

async function standOf(
  client: Client,
  workflow: string,
  { run, type, first }: { readonly run: string; readonly type: string; readonly first: string },
): Promise<{ readonly from: ComesFrom; readonly setBackTo?: string | null | undefined }> {
  try {
    const handle = client.workflow.getHandle(workflow, run);
    const { status, raw } = await client.withDeadline(Date.now() + callMs, () => handle.describe());
    const ended = status.name === 'COMPLETED' && (await hasSignedEnd(client, type, { id: workflow, run, first }));
    return { from: ended ? 'ended' : 'open', setBackTo: raw.workflowExtendedInfo?.resetRunId };
  } catch (error) {
    // Without the run it was cut from, nobody can say that it was open.
    if (error instanceof WorkflowNotFoundError) return { from: 'unknown' };
    throw error;
  }
}
