import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from '@temporalio/common';
import type { CellActivities } from '../../../core/action/step.ts';
import { type ControlActivities, type ControlInput, type ControlState, controlNames } from '../../../core/decide/control.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { controlIdOf } from '../../../core/orders/order.ts';
import { currentBuild, makeCurrent } from '../../temporal/versions.ts';
import type { BookLog, DecisionBook } from './decision-book.ts';
import type { SignInMemory } from './sign-in-memory.ts';

const callMs = 5_000;
const askEveryMs = 5_000;
/** Whoever has not answered for so long is not there any more: an older build that is gone, or somebody else who has the workflow's id. */
const silentForMs = 120_000;
/** What a person has just ended the cell knows a moment before the workflow does. */
const lostForMs = 30_000;

/** What is agreed to is counted by the workflow a moment after the cell has found the vote good. */
const soonMs: readonly number[] = [50, 200, 500, 1_000, 2_000];

/** The pauses between looks at the control workflow: short ones after a vote or an order, since whoever ends the workflow then must not undo it. */
export class Pace {
  readonly #everyMs: number;
  #soon: readonly number[] = [];
  #wake: () => void = () => undefined;

  constructor(everyMs = askEveryMs) {
    this.#everyMs = everyMs;
  }

  /** Something was said that may decide. */
  hurry(): void {
    this.#soon = soonMs;
    this.#wake();
  }

  /** The activities by which the control workflow has votes and orders checked, with a look after each. */
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
  readonly log: BookLog;
  readonly signal: AbortSignal;
  readonly pace: Pace;
  readonly silentForMs?: number;
  readonly lostForMs?: number;
}

/**
 * Keeps the cluster's control workflow running under the current build, and the cell's list up to date. While Temporal is down the list stays
 * as it was. Ends with `signal`.
 */
export async function followControl(options: FollowControlOptions): Promise<void> {
  const { book, signIns, signal, pace, log } = options;
  let asked = 0;
  let down = false;
  let lostSince: number | undefined;
  let silentSince: number | undefined;
  while (!signal.aborted) {
    try {
      if (asked % 12 === 0 && (await ensureControl(options, silentSince))) silentSince = undefined;
      const state = await stateOf(options);
      silentSince = undefined;
      await signIns?.learn(state);
      book.update(state);
      lostSince = await recallLost(options, state, lostSince);
      down = false;
      asked += 1;
    } catch {
      // It has gone, or whoever answered for it has: looked after at once, and at each further turn until somebody answers.
      asked = 0;
      silentSince ??= Date.now();
      if (!down && !signal.aborted)
        log.warn({}, 'the control workflow does not answer: what is hidden and frozen stays as it was');
      down = true;
    }
    await pace.pause(signal);
  }
}

/** Tells the workflow again what it has lost. @returns since when it has, in milliseconds since 1970; undefined where it has lost nothing */
async function recallLost(
  options: FollowControlOptions,
  state: ControlState,
  since: number | undefined,
): Promise<number | undefined> {
  const { client, cluster, book, log } = options;
  const lost = book.lostIn(state);
  if (lost.decided.length + lost.ended.length === 0) return undefined;
  if (since === undefined) return Date.now();
  if (Date.now() - since < (options.lostForMs ?? lostForMs)) return since;
  await client.withDeadline(Date.now() + callMs, () =>
    client.workflow.getHandle(controlIdOf(cluster)).signal(controlNames.recallSignal, lost),
  );
  const counts = { inForce: lost.decided.length, over: lost.ended.length };
  log.warn(
    counts,
    'the control workflow has lost decisions that this cell goes by, as if it were set back: it is told them again',
  );
  return Date.now();
}

/** For a pool in a process of its own: it decides nothing about the control workflow, and holds itself to the same freezes. Ends with `signal`. */
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
      // As it was: the cell says it, where it is the control workflow that does not answer.
    }
    await sleep(askEveryMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** No longer than `callMs`: where no worker answers, the connection goes on trying for several times its deadline. */
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
 * Starts it where it is not there; asks the run of an older build to go on under this one. Whoever reaches Temporal can have another workflow under its id, keep
 * its tasks from every cell, or call a build the current one that nobody has: where nobody answers for long, this cell begins it anew.
 *
 * @param silentSince since when nobody has answered for it, in milliseconds since 1970
 * @returns whether it was begun now
 */
async function ensureControl(options: FollowControlOptions, silentSince: number | undefined): Promise<boolean> {
  const { client, cluster, deployment, buildId, log, signal } = options;
  const id = controlIdOf(cluster);
  if (await startControl(options, 'FAIL')) {
    log.info({ control: id }, 'the control workflow was started');
    return true;
  }
  const handle = client.workflow.getHandle(id);
  const runsOn = await client.withDeadline(Date.now() + callMs, async () => {
    const { raw } = await handle.describe();
    return raw.workflowExecutionInfo?.versioningInfo?.deploymentVersion;
  });
  if (silentSince !== undefined && Date.now() - silentSince >= (options.silentForMs ?? silentForMs)) {
    log.warn(
      { control: id, ...(runsOn?.buildId && { build: runsOn.buildId }) },
      'nobody answers for the control workflow: it is started again with what this cell knows',
    );
    await makeCurrent({ client, deployment, buildId, withinMs: callMs, signal });
    return startControl(options, 'TERMINATE_EXISTING');
  }
  if (!runsOn?.buildId || runsOn.buildId === buildId) return false;
  // Of two cells of different builds only the newer one decides.
  if ((await currentBuild({ client, deployment })) !== buildId) return false;
  // As long as the older build answers, it has its reasons: records that the desk does not take yet.
  await client.withDeadline(Date.now() + callMs, () => handle.signal(controlNames.handOverSignal, buildId));
  return false;
}

/** False when it runs already. */
async function startControl(
  { client, cluster, queues, book }: FollowControlOptions,
  policy: 'FAIL' | 'TERMINATE_EXISTING',
): Promise<boolean> {
  const input: ControlInput = { cluster, queues, restored: book.decided() };
  try {
    await client.withDeadline(Date.now() + callMs, () =>
      client.workflow.start(controlNames.workflow, {
        workflowId: controlIdOf(cluster),
        taskQueue: queues.cell,
        args: [input],
        workflowTaskTimeout: '10s',
        workflowIdConflictPolicy: WorkflowIdConflictPolicy[policy],
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      }),
    );
    return true;
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
    throw error;
  }
}
