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

/** What an activity or a body threw, as the catalogue knows it. */
export function stepFailure(error: unknown): StepFailure {
  if (error instanceof StepFailure) return error;
  return error instanceof Error ? failureOf(error) : new StepFailure('FB_ERR_INTERNAL', noErrorText(error));
}

/** An author may throw anything. An object may say of itself what it likes, and is not asked. */
function noErrorText(thrown: unknown): string {
  const isObject = (typeof thrown === 'object' && thrown !== null) || typeof thrown === 'function';
  const said = typeof thrown === 'string' ? `“${cutText(thrown, longestThrown)}”` : isObject ? 'an object' : String(thrown);
  return `something was thrown that is no Error: ${said}. Write throw new Error('…'), which says where`;
}

const longestThrown = 200;

/**
 * A worker that is lost is noticed within this, and what it had in hand is given to the next: it sends a heartbeat every second. One that is only short of the processor
 * is not lost: at 3 s a fiftieth of its calls were made twice.
 */
const heartbeatTimeout = '5s';
const patient = { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '10s' } as const;

/** An approved destructive step that cannot be done within the hour is no longer what people had in mind. */
const approvedForMs = 3_600_000;
/** What a pack's action does not give back by then is told, and people order it again: its author's mistake would be tried for ever, and nobody would hear of it. */
const ownUndoneForMs = 900_000;
/** What is not done or given back by then people hear of. It is tried all the same: see `StepEngine` and `Leases`. */
const untoldMs = 60_000;

function queueOf(settings: IncidentSettings, pool: Pool): string {
  return settings.queues[pool];
}

/**
 * The activities of one action, in the pool that has its rights. Critical work goes first in the server's backlog.
 * @param isTold people know that the step waits: it is tried for as long as it takes.
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
    // People have approved each step of a pack's own action, too.
    ...(declaration.effect === 'destructive' || isOwn ? { scheduleToCloseTimeout: approvedForMs } : {}),
    // What only reads, or is over at once, must not keep people from being asked: while its store is down, the playbook goes on without it.
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
 * The fast path: one attempt of at most 2 s, at the cell, which has the workflow too and so is handed it without a poll.
 *
 * Nothing here is a local activity: in a workflow task that answers a query too (also an incident's first one), the result of a local one
 * can come to the workflow a task later than its marker says, and then the history does not replay (seen with SDK 1.24).
 */
export function fastActivities(): Pick<CellActivities, 'applyStepNow' | 'verifyVote'> {
  return activitiesWith<Pick<CellActivities, 'applyStepNow' | 'verifyVote'>>({
    startToCloseTimeout: '2s',
    scheduleToCloseTimeout: '5s',
    retry: { maximumAttempts: 1 },
    priority: { priorityKey: 1 },
  });
}

/** The check of a vote, before all other work. */
export function voteActivities(settings: IncidentSettings): Pick<CellActivities, 'verifyVote'> {
  return activitiesWith<Pick<CellActivities, 'verifyVote'>>({
    taskQueue: settings.queues.cell,
    startToCloseTimeout: '5s',
    scheduleToCloseTimeout: '1m',
    retry: patient,
    priority: { priorityKey: 1 },
  });
}

/** What the cell says of an approved step, or of its release, to the pool that does it. The pool is asked at once, and takes it for some minutes only. */
function warrantActivities(settings: IncidentSettings, priorityKey: number): WarrantActivities {
  return activitiesWith<WarrantActivities>({
    taskQueue: settings.queues.cell,
    startToCloseTimeout: '10s',
    scheduleToCloseTimeout: approvedForMs,
    retry: patient,
    priority: { priorityKey },
  });
}

/** What the cell looks at for the record: nobody waits for it, and what it says of an hour ago helps nobody. */
export function lookActivities(settings: IncidentSettings, priorityKey: number): LookActivities {
  return activitiesWith<LookActivities>({
    taskQueue: settings.queues.cell,
    startToCloseTimeout: '15s',
    scheduleToCloseTimeout: '10m',
    // The cell looks at a few at a time: in a storm the others come again.
    retry: { initialInterval: '2s', backoffCoefficient: 2, maximumInterval: '60s' },
    priority: { priorityKey: priorityKey + 1 },
  });
}

/** A warrant that was refused as too old is asked for again after this. */
const warrantAgainMs = 5_000;

/** A pool has heard no alerts and has seen no votes. Where it could not begin in time, or has lost its memory, the cell is asked again. */
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

/** Who may answer: a card waits for it for a moment, and does without where the cell is not there. */
export function answererActivities(settings: IncidentSettings): Pick<CellActivities, 'answerersTo'> {
  return activitiesWith<Pick<CellActivities, 'answerersTo'>>({
    taskQueue: settings.queues.cell,
    startToCloseTimeout: '2s',
    scheduleToCloseTimeout: '3s',
    retry: { maximumAttempts: 1 },
    priority: { priorityKey: 1 },
  });
}

/** Like the check of a vote. */
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
 * The desk may be down for hours: what it has to say waits, and delays nothing else. A Slack or ticket system that hangs keeps the desk alive; it is given up by
 * the client's own time-out, before the activity's. Votes and questions to the roster need no heartbeat: they are over in milliseconds, and last 5 s at most.
 */
export function deskActivities(settings: { readonly queues: Pick<IncidentSettings['queues'], 'desk'> }): DeskActivities {
  const common = {
    taskQueue: settings.queues.desk,
    startToCloseTimeout: '15s',
    heartbeatTimeout,
    retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '30s' },
  } as const;
  const lasting = activitiesWith<DeskActivities>(common);
  // Nobody waits for the answer to a click for longer, and a page of yesterday helps nobody: an incident must not stay open for them.
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
 * What follows an incident outside. `patient` tries for a day, then it is given up and on the record; `brief` is for what has been given up
 * before. A page of hours ago helps nobody.
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
