import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, WorkflowExecutionAlreadyStartedError, type WorkflowExecutionDescription } from '@temporalio/client';
import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from '@temporalio/common';
import type { RecordMemory } from '../../../activities/memory/record-memory.ts';
import type { CellActivities } from '../../../core/action/step.ts';
import { type ControlActivities, type ControlInput, type ControlState, controlNames } from '../../../core/decide/control.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { controlIdOf } from '../../../core/orders/order.ts';
import { askAnew, takeBack } from '../../temporal/held-up-runs.ts';
import { currentBuild, makeCurrent, takeBackRouting } from '../../temporal/versions.ts';
import { type ErrorLog, WaitingCalls } from '../../temporal/waiting-calls.ts';
import type { BookLog, DecisionBook } from './decision-book.ts';
import type { SignInMemory } from './sign-in-memory.ts';

const callMs = 5_000;
const askEveryMs = 5_000;
/** A run that is not ours, or is gone for good, is not waited for any longer than this. */
const silentForMs = 120_000;
/**
 * A worker that may come back is waited for longer than it takes an overloaded machine, a node replacement or an image pull. Not for ever: its tasks may be
 * with somebody else, and until somebody answers nobody can ask for a freeze.
 */
const absentForMs = 15 * 60_000;
/** When a person has just ended something, the cell knows a moment before the workflow does. */
const lostForMs = 30_000;

/** The workflow counts an approval a moment after the cell has verified the vote. */
const soonMs: readonly number[] = [50, 200, 500, 1_000, 2_000];

/** The pauses between looks at the control workflow: short ones after a vote or an order, so that somebody who terminates the workflow then cannot undo it. */
export class Pace {
  readonly #everyMs: number;
  #soon: readonly number[] = [];
  #wake: () => void = () => undefined;

  constructor(everyMs = askEveryMs) {
    this.#everyMs = everyMs;
  }

  /** Call this after a vote or an order that may decide something. */
  hurry(): void {
    this.#soon = soonMs;
    this.#wake();
  }

  /** Wraps the activities that check votes and orders for the control workflow, with a look after each. */
  following<Activities extends Pick<CellActivities & ControlActivities, 'verifyVote' | 'takeOrder'>>(
    activities: Activities,
    control: string,
  ): Activities {
    const { verifyVote, takeOrder } = activities;
    return {
      ...activities,
      verifyVote: (check) => verifyVote(check).finally(() => check.question.incident.id === control && this.hurry()),
      takeOrder: (order) => takeOrder(order).finally(() => this.hurry()),
    };
  }

  async pause(signal: AbortSignal): Promise<void> {
    const [ms = this.#everyMs, ...rest] = this.#soon;
    this.#soon = rest;
    const waking = new AbortController();
    this.#wake = () => waking.abort();
    const until = AbortSignal.any([signal, waking.signal]);
    await sleep(ms, undefined, { signal: until, ref: false }).catch(() => undefined);
  }
}

interface FollowControlOptions {
  readonly client: Client;
  readonly cluster: string;
  readonly queues: ControlInput['queues'];
  readonly deployment: string;
  readonly buildId: string;
  readonly book: DecisionBook;
  /** Absent: no decision needs a sign-in. */
  readonly signIns?: SignInMemory | undefined;
  readonly records: RecordMemory;
  readonly log: BookLog & ErrorLog;
  readonly signal: AbortSignal;
  readonly pace: Pace;
  /** Whether a cell has begun the workflow's run, identified by its first run. */
  readonly wasBegun: (workflow: string, first: string) => Promise<boolean>;
  readonly silentForMs?: number;
  readonly absentForMs?: number;
  readonly lostForMs?: number;
  readonly stillMs?: number;
}

/** A run that does not answer although Temporal does, and since when, in milliseconds since 1970. */
interface Silence {
  readonly run: string;
  readonly since: number;
}

/**
 * Keeps the cluster's control workflow running under the current build, and the cell's list up to date. While Temporal is down the list stays unchanged. Ends
 * with `signal`.
 */
export async function followControl(options: FollowControlOptions): Promise<void> {
  const { book, signIns, signal, pace, log } = options;
  const calls = new WaitingCalls({ log });
  let asked = 0;
  let down = false;
  let lostSince: number | undefined;
  let run: string | undefined;
  let silence: Silence | undefined;
  while (!signal.aborted) {
    try {
      if (asked % 12 === 0) {
        // While Temporal is unreachable nobody can answer, so nobody counts as silent.
        run = undefined;
        run = await ensureControl(options, silence, calls);
      }
      const state = await stateOf(options);
      silence = undefined;
      await signIns?.learn(state);
      book.update(state);
      lostSince = await recallLost(options, state, lostSince);
      down = false;
      asked += 1;
    } catch {
      // The workflow, or the worker that answered for it, is gone: checked at once, and at each further turn until somebody answers.
      asked = 0;
      if (run === undefined) silence = undefined;
      else if (silence?.run !== run) silence = { run, since: Date.now() };
      if (!down && !signal.aborted)
        log.warn({}, 'the control workflow does not answer; suppressions and freezes stay as they are');
      down = true;
    }
    await pace.pause(signal);
  }
}

/** Sends the workflow again what it has lost. @returns since when it has been lost, in milliseconds since 1970; undefined if nothing is lost */
async function recallLost(
  options: FollowControlOptions,
  state: ControlState,
  since: number | undefined,
): Promise<number | undefined> {
  const { client, cluster, book, records: kept, log } = options;
  const records = kept.lostIn(state);
  const lost = book.lostIn(state);
  const { decided, ended, unrecorded, proposed } = lost;
  const counts = {
    inForce: decided.length,
    over: ended.length + unrecorded.length,
    proposed: proposed.length,
    records: records.length,
  };
  if (Object.values(counts).every((count) => count === 0)) return undefined;
  if (since === undefined) return Date.now();
  if (Date.now() - since < (options.lostForMs ?? lostForMs)) return since;
  await client.withDeadline(Date.now() + callMs, () =>
    client.workflow.getHandle(controlIdOf(cluster)).signal(controlNames.recallSignal, { ...lost, records }),
  );
  log.warn(
    counts,
    'the control workflow lost decisions or records that this cell knows of, as after a termination or a reset; they are sent again',
  );
  return Date.now();
}

/** For a pool in its own process: it decides nothing about the control workflow, and obeys the same freezes. Ends with `signal`. */
export async function followDecisions(
  options: Pick<FollowControlOptions, 'client' | 'cluster' | 'book' | 'signIns' | 'signal'>,
): Promise<void> {
  const { book, signIns, signal } = options;
  while (!signal.aborted) {
    try {
      const state = await stateOf(options);
      await signIns?.learn(state);
      book.update(state);
    } catch {
      // Unchanged: the cell reports it if the control workflow does not answer.
    }
    await sleep(askEveryMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** Takes at most `callMs`: if no worker answers, the connection retries for several times its deadline. */
async function stateOf({ client, cluster }: Pick<FollowControlOptions, 'client' | 'cluster'>): Promise<ControlState> {
  const answered = client.withDeadline(Date.now() + callMs, () =>
    client.workflow.getHandle(controlIdOf(cluster)).query<ControlState>(controlNames.stateQuery),
  );
  const patience = new AbortController();
  const late = sleep(callMs, undefined, { signal: patience.signal, ref: false }).then(() => {
    throw new FirebreakError('FB_ERR_UNAVAILABLE', 'the control workflow does not answer');
  });
  try {
    return await Promise.race([answered, late]);
  } finally {
    patience.abort();
    for (const one of [answered, late]) one.catch(() => undefined);
  }
}

/**
 * Starts the workflow if it does not exist; asks the run of an older build to continue under this one. Anyone who can reach Temporal can start another workflow
 * under its id, keep its tasks from every cell, or set a current build that nobody has: whatever holds the run up is reverted, and if nobody answers for long,
 * this cell begins it again.
 *
 * @returns the run that has its id now
 * @throws what Temporal throws if it does not answer
 */
async function ensureControl(options: FollowControlOptions, silence: Silence | undefined, calls: WaitingCalls): Promise<string> {
  const { client, cluster, deployment, buildId, book, log, signal } = options;
  const id = controlIdOf(cluster);
  // Started at once: right after a build became current, Temporal takes seconds to say how it begins runs.
  const started = await startControl(options, 'FAIL');
  // If somebody makes that impossible, it is begun anyway.
  const rerouted = await client.withDeadline(Date.now() + callMs, () => takeBackRouting({ client, deployment })).catch(() => []);
  if (rerouted.length > 0)
    log.warn({ deployment, rerouted }, 'somebody with access to Temporal changed how it starts runs; that is reverted');
  if (started !== undefined) {
    log.info({ control: id }, 'started the control workflow');
    // A run routed to no worker would wait for a quarter of an hour.
    return (rerouted.length > 0 ? await startControl(options, 'TERMINATE_EXISTING') : undefined) ?? started;
  }
  const handle = client.workflow.getHandle(id);
  const found = await client.withDeadline(Date.now() + callMs, () => handle.describe());
  const { runId } = found;
  await askAnew(client, found, await calls.look(client, found, options.stillMs));
  const runsOn = buildOf(found);
  // If somebody makes that impossible, it is begun again anyway.
  const { heldUp } = await takeBack(client, found, 'none');
  if (heldUp.length > 0)
    log.warn({ control: id, heldUp }, 'somebody with access to Temporal held up the control workflow; that is reverted');
  if (silence?.run === runId) {
    const silentMs = Date.now() - silence.since;
    const gone = await whyGone(options, found);
    const patienceMs = gone === undefined ? (options.absentForMs ?? absentForMs) : (options.silentForMs ?? silentForMs);
    if (silentMs < patienceMs) return runId;
    const why = gone ?? 'the cell that runs it has not answered for too long';
    const asked = book.proposed().length;
    log.warn(
      {
        control: id,
        why,
        silentSeconds: Math.round(silentMs / 1_000),
        ...(runsOn && { build: runsOn }),
        ...(asked && { asked }),
      },
      'no cell answers for the control workflow: it is started again with what this cell knows, and open proposals are asked again',
    );
    // If that is not possible for now, its first task would reach no worker: it is retried at the next turn.
    const isCurrent = await makeCurrent({ client, deployment, buildId, withinMs: callMs, signal }).then(
      () => true,
      () => false,
    );
    return (isCurrent ? await startControl(options, 'TERMINATE_EXISTING') : undefined) ?? runId;
  }
  if (!runsOn || runsOn === buildId) return runId;
  // If two cells have different builds, only the newer one decides.
  if ((await currentBuild({ client, deployment })) !== buildId) return runId;
  // While the older build answers, it has reasons not to hand over: records that the desk does not accept yet.
  await client.withDeadline(Date.now() + callMs, () => handle.signal(controlNames.handOverSignal, buildId));
  return runId;
}

/** Undefined until its first task is done. */
function buildOf({ raw }: Pick<WorkflowExecutionDescription, 'raw'>): string | undefined {
  return raw.workflowExecutionInfo?.versioningInfo?.deploymentVersion?.buildId || undefined;
}

/** Returns why the run's worker will not come back; undefined if it may: it may be overloaded, or down for some minutes with the newest build. */
async function whyGone(options: FollowControlOptions, found: WorkflowExecutionDescription): Promise<string | undefined> {
  const { client, cluster, queues, deployment, buildId, wasBegun } = options;
  const first = found.raw.workflowExecutionInfo?.firstRunId || found.runId;
  const isOfOurKind = found.type === controlNames.workflow && found.taskQueue === queues.cell;
  // Its beginning may no longer be stored, so an unknown one is no sign of a stranger.
  if (!isOfOurKind || !(await wasBegun(controlIdOf(cluster), first).catch(() => true))) return 'it was not started by a cell';
  const runsOn = buildOf(found);
  const isOurTurn = (await currentBuild({ client, deployment }).catch(() => undefined)) === buildId;
  if (runsOn === undefined) return isOurTurn ? undefined : 'its first task is routed to a build that does not accept it';
  return isOurTurn && runsOn !== buildId ? 'it is left to an older build' : undefined;
}

/** @returns its run; undefined if it already runs */
async function startControl(
  { client, cluster, queues, book }: FollowControlOptions,
  policy: 'FAIL' | 'TERMINATE_EXISTING',
): Promise<string | undefined> {
  const input: ControlInput = { cluster, queues, restored: book.decided(), proposed: book.proposed() };
  try {
    const handle = await client.withDeadline(Date.now() + callMs, () =>
      client.workflow.start(controlNames.workflow, {
        workflowId: controlIdOf(cluster),
        taskQueue: queues.cell,
        args: [input],
        workflowTaskTimeout: '10s',
        workflowIdConflictPolicy: WorkflowIdConflictPolicy[policy],
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      }),
    );
    return handle.firstExecutionRunId;
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return undefined;
    throw error;
  }
}
