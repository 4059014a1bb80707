import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import type { WorkerDeploymentVersion } from '@temporalio/common';
import { type Logger, reasonOf } from '../process/log.ts';
import { Turns } from '../process/repeat.ts';
import { askAnew, takeBack } from './held-up-runs.ts';
import { RepeatedTrouble } from './repeated-trouble.ts';
import { stillAfterMs, WaitingCalls } from './waiting-calls.ts';
import { WaitingTasks } from './waiting-tasks.ts';

const callMs = 5_000;
/** Maximum number of running incidents checked each time; if there are more, each gets its turn every few minutes. */
const mostLookedAt = 10;
/** How long people have to restore what a history cannot be read without. */
const unreadableAfterMs = 10 * 60_000;

const standsStill =
  'an incident stands still: its next task is waiting in Temporal and no cell takes it, so it asks nobody and receives no answer. Check whether this cell is busy, ' +
  'and which builds and workers Temporal knows (firebreak doctor). Or terminate the run in Temporal: the cell then starts the incident again';
const heldUpText = 'somebody with access to Temporal held up an incident; that is reverted';
const notTakenBack =
  'somebody with access to Temporal held up an incident, and Temporal does not allow that to be reverted: terminate its run in Temporal, and the cell starts the incident again';

interface StillParts {
  readonly log: Logger;
  readonly now: () => number;
  /** The build that a cell has set in Temporal for a run it started. Undefined if this cell does not know. */
  readonly pinnedTo: (incident: string) => WorkerDeploymentVersion | undefined;
}

/** Parameters of one check. */
export interface StillLook {
  readonly client: Client;
  /** Incidents that Temporal lists as running. */
  readonly running: readonly string[];
  /** Ends a run whose history cannot be read, and starts the incident again. */
  readonly beginAgain: (incident: string, run: { readonly id: string; readonly first: string }) => Promise<void>;
  readonly stillMs?: number | undefined;
  readonly unreadableMs?: number | undefined;
}

/**
 * Finds incidents that are listed as running and make no progress. Anyone who can reach Temporal can pause them, assign them to a build that nobody has, keep
 * their tasks from every cell, process one wrongly so that the history no longer replays, or hold back the queues of their activities. What can be undone is
 * undone, a history that cannot be read is abandoned, and people are told of all of it.
 */
export class StillIncidents {
  readonly #parts: StillParts;
  readonly #still = new Map<string, RepeatedTrouble>();
  /** Incidents whose calls nobody takes or answers. */
  readonly #waiting = new Set<string>();
  readonly #calls: WaitingCalls;
  readonly #tasks: WaitingTasks;
  /** Incidents that could not be restored at the last check. */
  readonly #heldUp = new Map<string, RepeatedTrouble>();
  /** Incidents about which something may be remembered. */
  readonly #looked = new Set<string>();
  readonly #turns = new Turns(mostLookedAt);

  constructor(parts: StillParts) {
    this.#parts = parts;
    this.#tasks = new WaitingTasks(parts);
    this.#calls = new WaitingCalls(parts);
  }

  /** Number of incidents that made no progress at the last check. */
  get count(): number {
    return new Set([...this.#still.keys(), ...this.#waiting, ...this.#heldUp.keys()]).size;
  }

  forget(incident: string): void {
    this.#looked.delete(incident);
    this.#still.delete(incident);
    this.#waiting.delete(incident);
    this.#heldUp.delete(incident);
    this.#tasks.forget(incident);
    this.#calls.forget(incident);
  }

  /** Never rejects. */
  async look({
    client,
    running,
    beginAgain,
    stillMs = stillAfterMs,
    unreadableMs = unreadableAfterMs,
  }: StillLook): Promise<void> {
    const looked = this.#turns.next(running);
    const areRunning = new Set(running);
    for (const id of this.#looked) if (!areRunning.has(id)) this.forget(id);
    for (const id of looked) {
      this.#looked.add(id);
      try {
        const found = await client.withDeadline(Date.now() + callMs, () => client.workflow.getHandle(id).describe());
        await this.#takeBack(client, id, found);
        const waiting = await this.#calls.look(client, found, stillMs);
        await askAnew(client, found, waiting);
        if (waiting.areThere) this.#waiting.add(id);
        else this.#waiting.delete(id);
        const { forMs: waitedMs, unreadable } = (await this.#tasks.look(client, found)) ?? { forMs: 0 };
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
        // Temporal is unavailable, or the run has just ended: it is checked again.
        this.#parts.log.debug({ incident: id, reason: reasonOf(error) }, 'cannot tell whether an incident makes progress');
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
    // A single failure may mean that another cell was faster.
    const said = failed.length > 0 && trouble?.met(incident);
    if (said) log.error({ incident, heldUp: failed, ...said }, notTakenBack);
  }
}
