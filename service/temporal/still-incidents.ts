import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import type { WorkerDeploymentVersion } from '@temporalio/common';
import proto from '@temporalio/proto';
import { type Logger, reasonOf } from '../process/log.ts';
import { takeBack } from './held-up-runs.ts';
import { RepeatedTrouble } from './repeated-trouble.ts';
import { stillAfterMs, WaitingCalls, waitsMs } from './waiting-calls.ts';

const callMs = 5_000;
/** Of those that run so many are asked for each time: of more, each every few minutes. */
const mostLookedAt = 10;
/** So long people have for putting back what a history cannot be read without. */
const unreadableAfterMs = 10 * 60_000;
/** Signals may have come since its last task. */
const newestEvents = 50;

const standsStill =
  'an incident stands still: its next task in Temporal waits, and no cell does it, so it asks nobody and hears no answer. Look whether this cell is busy, ' +
  'and which builds and workers Temporal knows (firebreak doctor); or end the run in Temporal, and the cell begins the incident again';
const heldUpText = 'somebody who reaches Temporal has held up an incident: that is taken back';
const notTakenBack =
  'somebody who reaches Temporal has held up an incident, and Temporal does not let that be taken back: end its run in Temporal, and the cell begins the incident again';

const { WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR: isNotTheSame } = proto.temporal.api.enums.v1.WorkflowTaskFailedCause;
/**
 * The SDK's own words, and it has no other sign for it: Temporal has written what the SDK knows no way for. It does so when a run is paused whose task
 * nobody has taken yet (Temporal 1.32, TypeScript SDK 1.24).
 */
const isNotUnderstood = 'Fatal error in workflow machines';

interface StillParts {
  readonly log: Logger;
  readonly now: () => number;
  /** The build that a cell has told Temporal for what it has begun. Undefined where this cell does not know. */
  readonly pinnedTo: (incident: string) => WorkerDeploymentVersion | undefined;
}

/** How one look is made. */
export interface StillLook {
  readonly client: Client;
  /** What Temporal lists as running. */
  readonly running: readonly string[];
  /** Ends a run whose history cannot be read, and begins the incident again. */
  readonly beginAgain: (incident: string, run: { readonly id: string; readonly first: string }) => Promise<void>;
  readonly stillMs?: number | undefined;
  readonly unreadableMs?: number | undefined;
}

/**
 * Which incidents are listed as running and do not go on. Whoever reaches Temporal can pause them, give them to a build that nobody has, keep their tasks from every cell, do one of
 * them wrongly, so that the history does not come out the same any more, or hold back the queues of those who do their work. What can be taken back is
 * taken back, a history that cannot be read is left, and people are told of all of it.
 */
export class StillIncidents {
  readonly #parts: StillParts;
  readonly #since: number;
  readonly #still = new Map<string, RepeatedTrouble>();
  /** Those whose calls nobody takes. */
  readonly #waiting = new Set<string>();
  readonly #calls: WaitingCalls;
  /** Those that could not be taken back when they were looked at last. */
  readonly #heldUp = new Map<string, RepeatedTrouble>();
  #turn = 0;

  constructor(parts: StillParts) {
    this.#parts = parts;
    this.#since = parts.now();
    this.#calls = new WaitingCalls(parts);
  }

  /** How many did not go on when they were looked at last. */
  get count(): number {
    return new Set([...this.#still.keys(), ...this.#waiting, ...this.#heldUp.keys()]).size;
  }

  forget(incident: string): void {
    this.#still.delete(incident);
    this.#waiting.delete(incident);
    this.#heldUp.delete(incident);
  }

  /** Never rejects. */
  async look({
    client,
    running,
    beginAgain,
    stillMs = stillAfterMs,
    unreadableMs = unreadableAfterMs,
  }: StillLook): Promise<void> {
    const count = Math.min(mostLookedAt, running.length);
    const looked = [...running, ...running].slice(this.#turn % (running.length || 1)).slice(0, count);
    this.#turn += count;
    const areRunning = new Set(running);
    for (const id of [...this.#still.keys(), ...this.#waiting, ...this.#heldUp.keys()]) if (!areRunning.has(id)) this.forget(id);
    for (const id of looked) {
      try {
        const found = await client.withDeadline(Date.now() + callMs, () => client.workflow.getHandle(id).describe());
        await this.#takeBack(client, id, found);
        if (this.#calls.look(id, found, stillMs)) this.#waiting.add(id);
        else this.#waiting.delete(id);
        const unreadable = found.raw.pendingWorkflowTask ? await this.#unreadable(client, found) : undefined;
        const waitedMs = Math.max(this.#taskWaitsMs(found), unreadable?.forMs ?? 0);
        if (waitedMs < stillMs) {
          this.#still.delete(id);
          continue;
        }
        const trouble = this.#still.get(id) ?? new RepeatedTrouble({ now: this.#parts.now });
        this.#still.set(id, trouble);
        const said = trouble.met(id);
        if (said) this.#parts.log.error({ incident: id, waitsSeconds: Math.round(waitedMs / 1_000), ...said }, standsStill);
        const first = found.raw.workflowExecutionInfo?.firstRunId ?? found.runId;
        if (unreadable && unreadable.forMs >= (unreadable.isForGood ? stillMs : unreadableMs))
          await beginAgain(id, { id: found.runId, first });
      } catch (error) {
        // Temporal is away, or it has just ended: it is looked again.
        this.#parts.log.debug({ incident: id, reason: reasonOf(error) }, 'whether an incident goes on could not be told');
      }
    }
  }

  async #takeBack(client: Client, incident: string, found: WorkflowExecutionDescription): Promise<void> {
    const { log, now, pinnedTo } = this.#parts;
    const { heldUp, failed } = await takeBack(client, found, pinnedTo(incident) ?? 'as it is');
    if (heldUp.length > 0) log.error({ incident, heldUp }, heldUpText);
    const trouble = this.#heldUp.get(incident);
    if (failed.length === 0) this.#heldUp.delete(incident);
    else if (!trouble) this.#heldUp.set(incident, new RepeatedTrouble({ now }));
    // Once may be another cell that was faster.
    const said = failed.length > 0 && trouble?.met(incident);
    if (said) log.error({ incident, heldUp: failed, ...said }, notTakenBack);
  }

  #taskWaitsMs({ raw }: WorkflowExecutionDescription): number {
    const { originalScheduledTime, scheduledTime } = raw.pendingWorkflowTask ?? {};
    return waitsMs(originalScheduledTime ?? scheduledTime, { now: this.#parts.now(), lookingSince: this.#since });
  }

  /**
   * For how long its tasks have failed because the history cannot be read. Temporal's word: whoever could make that up could end the run as well. Each
   * alert has its task scheduled anew, so what counts is when the first one failed after the last that was done.
   */
  async #unreadable(client: Client, { workflowId, runId }: WorkflowExecutionDescription): Promise<Unreadable | undefined> {
    const { namespace } = client.options;
    const { history } = await client.withDeadline(Date.now() + callMs, () =>
      client.workflowService.getWorkflowExecutionHistoryReverse({
        namespace,
        execution: { workflowId, runId },
        maximumPageSize: newestEvents,
      }),
    );
    const events = history?.events ?? [];
    const lastDone = events.findIndex(({ workflowTaskCompletedEventAttributes: done }) => done);
    const failed = events.slice(0, lastDone < 0 ? events.length : lastDone).filter((event) => unreadableIn(event) !== undefined);
    const [newest, oldest] = [failed[0], failed.at(-1)];
    if (!newest || !oldest) return undefined;
    const forMs = waitsMs(oldest.eventTime, { now: this.#parts.now(), lookingSince: this.#since });
    return { forMs, isForGood: unreadableIn(newest) === 'for good' };
  }
}

interface Unreadable {
  readonly forMs: number;
  /** There is nothing that people could put back. */
  readonly isForGood: boolean;
}

function unreadableIn({
  workflowTaskFailedEventAttributes: failed,
}: proto.temporal.api.history.v1.IHistoryEvent): 'as it is' | 'for good' | undefined {
  if (failed?.cause === isNotTheSame) return 'as it is';
  return failed?.failure?.message?.includes(isNotUnderstood) ? 'for good' : undefined;
}
