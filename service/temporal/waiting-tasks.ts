import type { WorkflowExecutionDescription } from '@temporalio/client';
import { optionalTsToMs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';
import { waitsMs } from './waiting-calls.ts';

const callMs = 5_000;
const eventsAPage = 50;
/** Signals may have come since its last task. Of a run that has heard more than that it is remembered since when it waits. */
const mostPages = 10;

const { WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR: isNotTheSame } = proto.temporal.api.enums.v1.WorkflowTaskFailedCause;
/**
 * The SDK's own words, and it has no other sign for it: Temporal has written what the SDK knows no way for. It does so when a run is paused whose task
 * nobody has taken yet (Temporal 1.32, TypeScript SDK 1.24).
 */
const isNotUnderstood = 'Fatal error in workflow machines';

type HistoryEvent = proto.temporal.api.history.v1.IHistoryEvent;

/** What is needed of a client of Temporal here. */
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

/** For how long the next task of a run was not done, in milliseconds. */
interface WaitingTask {
  readonly forMs: number;
  /** For how long it has failed because the history cannot be read; `isForGood`: there is nothing that people could put back. */
  readonly unreadable?: { readonly forMs: number; readonly isForGood: boolean };
}

interface Since {
  readonly run: string;
  /** The event of the last task that was done. */
  readonly done: string | undefined;
  /** Milliseconds since 1970. */
  readonly waits: number;
  readonly unreadable: number | undefined;
}

/**
 * Since when the next tasks of runs were not done. What Temporal says of a task is no answer: each time that somebody keeps or fails it Temporal schedules it
 * again as if it had never waited, and writes only the first time into the history. So what counts is the first one after the last that was done.
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
   * Undefined where no task waits. All of it is Temporal's word: whoever could make that up could end the run as well.
   * @throws what Temporal throws when it cannot say
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
    // Where none is found that was done, so much has come since that nobody would read it all.
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

/** The newest first. `done`: the event of the last task that was done, or of the reset that made this run; undefined where it is too far back. */
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

/** What a run that was set back took over from another one is no task of its own; who fails a task cannot say that it was a reset, since Temporal alone names its runs. */
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
