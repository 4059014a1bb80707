import type { WorkflowExecutionDescription } from '@temporalio/client';
import { optionalTsToMs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';
import { waitsMs } from './waiting-calls.ts';

const callMs = 5_000;
const eventsAPage = 50;
/** Signals may have arrived since its last task. For a run with more than that, the start of its wait is remembered here. */
const mostPages = 10;

const { WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR: isNotTheSame } = proto.temporal.api.enums.v1.WorkflowTaskFailedCause;
/**
 * The SDK's own message, and the only sign: Temporal has written something that the SDK cannot handle. This happens when a run is paused before its task is
 * taken (Temporal 1.32, TypeScript SDK 1.24).
 */
const isNotUnderstood = 'Fatal error in workflow machines';

type HistoryEvent = proto.temporal.api.history.v1.IHistoryEvent;

/** The part of a Temporal client that is needed here. */
interface HistoryClient {
  readonly options: { readonly namespace: string };
  readonly withDeadline: <R>(deadline: number, call: () => Promise<R>) => Promise<R>;
  readonly workflowService: {
    getWorkflowExecutionHistoryReverse(request: {
      readonly namespace: string;
      readonly execution: { readonly workflowId: string; readonly runId: string };
      readonly maximumPageSize: number;
      readonly nextPageToken?: Uint8Array;
    }): Promise<{
      readonly history?: { readonly events?: HistoryEvent[] | null } | null;
      readonly nextPageToken: Uint8Array;
    }>;
  };
}

/** How long the next task of a run has not been done, in milliseconds. */
interface WaitingTask {
  readonly forMs: number;
  /** How long it has failed because the history cannot be read; `isForGood`: there is nothing that people could restore. */
  readonly unreadable?: { readonly forMs: number; readonly isForGood: boolean };
}

interface Since {
  readonly run: string;
  /** The event of the last completed task. */
  readonly done: string | undefined;
  /** Milliseconds since 1970. */
  readonly waits: number;
  readonly unreadable: number | undefined;
}

/**
 * Since when the next tasks of runs have been pending. Temporal's own task data does not tell: whenever someone holds or fails a task, Temporal schedules it
 * again as if it had never waited, and only writes the first time into the history. So the first schedule after the last completed task counts.
 */
export class WaitingTasks {
  readonly #now: () => number;
  readonly #lookingSince: number;
  readonly #runs = new Map<string, Since>();

  constructor({ now }: { readonly now: () => number }) {
    this.#now = now;
    this.#lookingSince = now();
  }

  forget(workflow: string): void {
    this.#runs.delete(workflow);
  }

  /**
   * Undefined if no task waits. All of it relies on Temporal: anyone who could fake it could end the run as well.
   * @throws what Temporal throws if it cannot say
   */
  async look(
    client: HistoryClient,
    {
      workflowId,
      runId,
      raw,
    }: Pick<WorkflowExecutionDescription, 'workflowId' | 'runId'> & {
      readonly raw: Pick<WorkflowExecutionDescription['raw'], 'pendingWorkflowTask'>;
    },
  ): Promise<WaitingTask | undefined> {
    const { pendingWorkflowTask } = raw;
    if (!pendingWorkflowTask) {
      this.forget(workflowId);
      return undefined;
    }
    const now = this.#now();
    const { events, done } = await sinceLastDone(client, { workflowId, runId });
    const known = this.#runs.get(workflowId);
    // If no completed task is found, so much has happened since that the whole history is not worth reading.
    const isTheSame = known?.run === runId && (done === undefined || done === known.done);
    const failed = events.filter((event) => unreadableIn(event) !== undefined);
    const first = events.findLast(({ workflowTaskScheduledEventAttributes: scheduled }) => scheduled);
    const waits = optionalTsToMs(first?.eventTime ?? pendingWorkflowTask.scheduledTime) ?? now;
    const unreadable = optionalTsToMs(failed.at(-1)?.eventTime);
    const since: Since = {
      run: runId,
      done: done ?? (isTheSame ? known.done : undefined),
      waits: Math.min(waits, isTheSame ? known.waits : waits),
      unreadable: isTheSame ? (known.unreadable ?? unreadable) : unreadable,
    };
    this.#runs.set(workflowId, since);
    const forMs = (at: number): number => waitsMs(at, { now, lookingSince: this.#lookingSince });
    const isForGood = failed[0] !== undefined && unreadableIn(failed[0]) === 'for good';
    return {
      forMs: forMs(since.waits),
      ...(since.unreadable !== undefined && { unreadable: { forMs: forMs(since.unreadable), isForGood } }),
    };
  }
}

/** Newest first. `done`: the event of the last completed task, or of the reset that made this run; undefined if it is too far back. */
async function sinceLastDone(
  client: HistoryClient,
  execution: { readonly workflowId: string; readonly runId: string },
): Promise<{ readonly events: readonly HistoryEvent[]; readonly done: string | undefined }> {
  const { namespace } = client.options;
  const events: HistoryEvent[] = [];
  let token: Uint8Array | undefined;
  for (let page = 0; page < mostPages; page += 1) {
    const { history, nextPageToken } = await client.withDeadline(Date.now() + callMs, () =>
      client.workflowService.getWorkflowExecutionHistoryReverse({
        namespace,
        execution,
        maximumPageSize: eventsAPage,
        ...(token && { nextPageToken: token }),
      }),
    );
    for (const event of history?.events ?? []) {
      if (isDone(event, execution.runId)) return { events, done: String(event.eventId) };
      events.push(event);
    }
    if (nextPageToken.length === 0) break;
    token = nextPageToken;
  }
  return { events, done: undefined };
}

/** What a reset run took over from its predecessor is not a task of its own; whoever fails a task cannot fake a reset, since only Temporal assigns run ids. */
function isDone(
  { workflowTaskCompletedEventAttributes: done, workflowTaskFailedEventAttributes: failed }: HistoryEvent,
  run: string,
): boolean {
  return done != null || (failed?.newRunId === run && failed.baseRunId !== '');
}

function unreadableIn({ workflowTaskFailedEventAttributes: failed }: HistoryEvent): 'as it is' | 'for good' | undefined {
  if (failed?.cause === isNotTheSame) return 'as it is';
  return failed?.failure?.message?.includes(isNotUnderstood) ? 'for good' : undefined;
}
