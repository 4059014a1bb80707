import type { ActionDeclaration, Pool } from '../core/action/action.ts';
import type {
  CellActivities,
  DeskActivities,
  FollowUpActivities,
  IncidentSettings,
  LookActivities,
  WarrantActivities,
} from '../core/action/step.ts';
import type { SignedWarrant } from '../core/decide/warrant.ts';
import { cutText } from '../core/text/visible-text.ts';
import { StepFailure } from './step-failure.ts';
import { activitiesWith, failureOf, nowMs, sleep } from './world.ts';

/** Converts what an activity or a body threw to an error of the catalogue. */
export function stepFailure(error: unknown): StepFailure {
  if (error instanceof StepFailure) return error;
  return error instanceof Error ? failureOf(error) : new StepFailure('FB_ERR_INTERNAL', noErrorText(error));
}

/** An author may throw anything. An object could say anything about itself, so it is not asked. */
function noErrorText(thrown: unknown): string {
  const isObject = (typeof thrown === 'object' && thrown !== null) || typeof thrown === 'function';
  const said = typeof thrown === 'string' ? `“${cutText(thrown, longestThrown)}”` : isObject ? 'an object' : String(thrown);
  return `something was thrown that is not an Error: ${said}. Write throw new Error('…'), which records where`;
}

const longestThrown = 200;

/**
 * A lost worker is noticed within this time, and its work is given to the next one: it sends a heartbeat every second. A worker that is only short of CPU is
 * not lost: at 3 s, one in fifty of its calls was made twice.
 */
const heartbeatTimeout = '5s';
const patient = { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '10s' } as const;

/** An approved destructive step that cannot run within the hour is no longer what people had in mind. */
const approvedForMs = 3_600_000;
/**
 * If a pack's action cannot release its effect by then, people are told and must order it again: otherwise its author's mistake would be retried for ever, and
 * nobody would hear of it.
 */
const ownUndoneForMs = 900_000;
/** People are told of anything not applied or released by then. It is retried all the same: see `StepEngine` and `Leases`. */
const untoldMs = 60_000;

function queueOf(settings: IncidentSettings, pool: Pool): string {
  return settings.queues[pool];
}

/**
 * The activities of one action, in the pool with the right permissions. Critical work goes first in the server's backlog.
 * @param isTold people know that the step waits: it is retried for as long as it takes.
 */
export function stepActivities(
  settings: IncidentSettings,
  declaration: ActionDeclaration,
  priorityKey: number,
  { isTold = false }: { readonly isTold?: boolean } = {},
): CellActivities {
  const taskQueue = queueOf(settings, declaration.pool);
  const isOwn = declaration.pool === 'packs';
  const common = { taskQueue, heartbeatTimeout, retry: patient, priority: { priorityKey } } as const;
  const plan = activitiesWith<CellActivities>({
    ...common,
    startToCloseTimeout: declaration.timeouts.planMs,
    scheduleToCloseTimeout: '10m',
  });
  const apply = activitiesWith<CellActivities>({
    ...common,
    startToCloseTimeout: declaration.timeouts.applyMs,
    ...(!isTold && { scheduleToCloseTimeout: declaration.timeouts.applyMs + untoldMs }),
    // People have also approved each step of a pack's own action.
    ...(declaration.effect === 'destructive' || isOwn ? { scheduleToCloseTimeout: approvedForMs } : {}),
    // A read-only or momentary action must not keep people from being asked: while its store is down, the playbook goes on without it.
    ...(declaration.effect === 'read' || declaration.momentary
      ? { scheduleToCloseTimeout: declaration.pool === 'desk' ? '24h' : Math.max(600_000, declaration.timeouts.applyMs) }
      : {}),
  });
  const undo = activitiesWith<CellActivities>({
    ...common,
    startToCloseTimeout: declaration.timeouts.applyMs,
    scheduleToCloseTimeout: isOwn
      ? Math.max(ownUndoneForMs, declaration.timeouts.applyMs)
      : declaration.timeouts.applyMs + untoldMs,
  });
  const verify = activitiesWith<CellActivities>({
    ...common,
    startToCloseTimeout: declaration.timeouts.verifyMs,
    scheduleToCloseTimeout: '15m',
  });
  return {
    planStep: plan.planStep,
    applyStep: apply.applyStep,
    applyStepNow: apply.applyStep,
    verifyStep: verify.verifyStep,
    undoStep: undo.undoStep,
    verifyVote: plan.verifyVote,
    verifyRemark: plan.verifyRemark,
    answerersTo: plan.answerersTo,
  };
}

/**
 * The fast path: one attempt of at most 2 s, on the cell, which also runs the workflow and therefore receives the activity without a poll.
 *
 * Nothing here is a local activity: in a workflow task that also answers a query (such as an incident's first one), the result of a local activity can reach
 * the workflow a task later than its marker says, and then the history does not replay (seen with SDK 1.24).
 */
export function fastActivities(): Pick<CellActivities, 'applyStepNow' | 'verifyVote'> {
  return activitiesWith<Pick<CellActivities, 'applyStepNow' | 'verifyVote'>>({
    startToCloseTimeout: '2s',
    scheduleToCloseTimeout: '5s',
    retry: { maximumAttempts: 1 },
    priority: { priorityKey: 1 },
  });
}

/** Verifies a vote, before all other work. */
export function voteActivities(settings: IncidentSettings): Pick<CellActivities, 'verifyVote'> {
  return activitiesWith<Pick<CellActivities, 'verifyVote'>>({
    taskQueue: settings.queues.cell,
    startToCloseTimeout: '5s',
    scheduleToCloseTimeout: '1m',
    retry: patient,
    priority: { priorityKey: 1 },
  });
}

/**
 * The cell's warrant for an approved step, or for its release, for the pool that performs it. The pool is called at once, and accepts it for only some minutes.
 */
function warrantActivities(settings: IncidentSettings, priorityKey: number): WarrantActivities {
  return activitiesWith<WarrantActivities>({
    taskQueue: settings.queues.cell,
    startToCloseTimeout: '10s',
    scheduleToCloseTimeout: approvedForMs,
    retry: patient,
    priority: { priorityKey },
  });
}

/** Checks that the cell makes for the record: nobody waits for them, and a result from an hour ago helps nobody. */
export function lookActivities(settings: IncidentSettings, priorityKey: number): LookActivities {
  return activitiesWith<LookActivities>({
    taskQueue: settings.queues.cell,
    startToCloseTimeout: '15s',
    scheduleToCloseTimeout: '10m',
    // The cell checks only a few at a time: in a storm the others retry.
    retry: { initialInterval: '2s', backoffCoefficient: 2, maximumInterval: '60s' },
    priority: { priorityKey: priorityKey + 1 },
  });
}

/** Delay before asking again for a warrant that was refused as too old. */
const warrantAgainMs = 5_000;

/** A pool has received no alerts and seen no votes. If it could not start in time, or has lost its memory, the cell is asked for a new warrant. */
export async function onWarrant<T>(
  { settings, priority }: { readonly settings: IncidentSettings; readonly priority: number },
  ask: (cell: WarrantActivities) => Promise<SignedWarrant>,
  work: (warrant: SignedWarrant) => Promise<T>,
): Promise<T> {
  const until = nowMs() + approvedForMs;
  for (;;) {
    const warrant = await ask(warrantActivities(settings, priority));
    try {
      return await work(warrant);
    } catch (error) {
      if (stepFailure(error).code !== 'FB_ERR_WARRANT_OUTDATED' || nowMs() >= until) throw error;
      await sleep(warrantAgainMs);
    }
  }
}

/** Finds out who may answer: a card waits briefly for this, and goes without it if the cell is unavailable. */
export function answererActivities(settings: IncidentSettings): Pick<CellActivities, 'answerersTo'> {
  return activitiesWith<Pick<CellActivities, 'answerersTo'>>({
    taskQueue: settings.queues.cell,
    startToCloseTimeout: '2s',
    scheduleToCloseTimeout: '3s',
    retry: { maximumAttempts: 1 },
    priority: { priorityKey: 1 },
  });
}

/** Same as the check of a vote. */
export function remarkActivities(settings: IncidentSettings): Pick<CellActivities, 'verifyRemark'> {
  return activitiesWith<Pick<CellActivities, 'verifyRemark'>>({
    taskQueue: settings.queues.cell,
    startToCloseTimeout: '5s',
    scheduleToCloseTimeout: '1m',
    retry: patient,
    priority: { priorityKey: 2 },
  });
}

/**
 * The desk may be down for hours: its messages wait, and delay nothing else. While Slack or a ticket system hangs, the desk sends heartbeats; the client's own
 * timeout ends the call before the activity's. Votes and questions to the roster need no heartbeat: they take milliseconds, and at most 5 s.
 */
export function deskActivities(settings: { readonly queues: Pick<IncidentSettings['queues'], 'desk'> }): DeskActivities {
  const common = {
    taskQueue: settings.queues.desk,
    startToCloseTimeout: '15s',
    heartbeatTimeout,
    retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '30s' },
  } as const;
  const lasting = activitiesWith<DeskActivities>(common);
  // Nobody waits longer for the answer to a click, and a page from yesterday helps nobody: an incident must not stay open for them.
  const { answerClick } = activitiesWith<DeskActivities>({ ...common, scheduleToCloseTimeout: '10m' });
  const { postInThread } = activitiesWith<DeskActivities>({ ...common, scheduleToCloseTimeout: '24h' });
  const { showNotice } = activitiesWith<DeskActivities>({ ...common, scheduleToCloseTimeout: '10m' });
  return {
    postQuestion: lasting.postQuestion,
    updateQuestion: lasting.updateQuestion,
    recordAudit: lasting.recordAudit,
    postInThread,
    showNotice,
    answerClick,
  };
}

/**
 * Follow-up of an incident in external systems. `patient` tries for a day, then gives up and records it; `brief` is for what has been given up before. A page
 * from hours ago helps nobody.
 */
export function followUpActivities(settings: { readonly queues: Pick<IncidentSettings['queues'], 'desk'> }): {
  readonly patient: FollowUpActivities;
  readonly brief: FollowUpActivities;
} {
  const common = {
    taskQueue: settings.queues.desk,
    startToCloseTimeout: '60s',
    heartbeatTimeout,
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '5m' },
  } as const;
  const { updateTicket, endPage } = activitiesWith<FollowUpActivities>({ ...common, scheduleToCloseTimeout: '24h' });
  const { callPeople } = activitiesWith<FollowUpActivities>({
    ...common,
    startToCloseTimeout: '15s',
    scheduleToCloseTimeout: '2h',
    retry: { ...common.retry, maximumInterval: '30s' },
    priority: { priorityKey: 1 },
  });
  const brief = activitiesWith<FollowUpActivities>({ ...common, scheduleToCloseTimeout: '10m' });
  const { ticketNews } = brief;
  return {
    patient: { updateTicket, endPage, callPeople, ticketNews },
    brief: { updateTicket: brief.updateTicket, endPage, callPeople, ticketNews },
  };
}
