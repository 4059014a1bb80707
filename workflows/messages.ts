import {
  ActivityFailure,
  type ActivityOptions,
  ApplicationFailure,
  CancelledFailure,
  proxyActivities,
  proxySinks,
  type Sinks,
  sleep,
  TimeoutFailure,
  Trigger,
  type UntypedActivities,
  type WorkflowInterceptorsFactory,
  workflowInfo,
} from '@temporalio/workflow';
import type { AppliedStep, StepCall, StepListener, UndoCall } from '../core/action/step.ts';
import type { RecordListener } from '../core/audit/alert-archive.ts';
import { isErrorCode } from '../core/errors.ts';
import { incidentNames } from '../core/incident/incident.ts';
import {
  argumentsIn,
  digestOfAsked,
  type Expected,
  type Message,
  type Read,
  type Received,
  type Refusal,
  readInRun,
  refusalTexts,
  runBinding,
  type StartRef,
} from '../core/messages/message.ts';
import { sendersOf, workflowTable } from '../core/messages/message-table.ts';
import { type Judgement, type SigningRole, signingRoles } from '../core/messages/sender.ts';
import { type Duration, durationMs, isDuration } from '../core/playbook/duration.ts';
import type { RefusedMessages } from './refused-messages.ts';

type Listener = (refused: RefusedMessages) => void;

/** What this run was started with, and what it has received; each run has its own copy of this module. */
interface Run {
  start: StartRef | undefined;
  /** The build it was started on, as stated by the cell that started it. Undefined: it may be any. */
  build: string | undefined;
  queues: Readonly<Partial<Record<string, string>>>;
  listener: Listener | undefined;
  /** Rejected when a pool reports that it accepts nothing from this run, or the run is no longer on its build. */
  over: Trigger<never> | undefined;
  readonly untold: RefusedMessages[];
  readonly refused: Map<string, number>;
  /** Found during replay, which may still turn out not to match. */
  readonly unproven: Judgement[];
}

const run: Run = {
  start: undefined,
  build: undefined,
  queues: {},
  listener: undefined,
  over: undefined,
  untold: [],
  refused: new Map(),
  unproven: [],
};

/** A finished run of an incident. */
export interface EndedRun {
  /** Its first run id. */
  readonly run: string;
  /** Milliseconds since 1970, by the clock of the process that started it. */
  readonly startedAt: number;
  /** An error code, if it failed. */
  readonly error?: string;
}

/** What a run reports to the process that it runs in: `service/temporal/speaker.ts`. */
export interface WorkflowSinks extends Sinks {
  /** Has the cell remember how the run's messages were judged. */
  readonly judgements: { found(found: Judgement): void };
  /** For traces. */
  readonly traces: { ended(ended: EndedRun): void };
  /** Results of steps that other processes than the cell have run: the cell knows its own. */
  readonly steps: Pick<StepListener, 'done' | 'failed'>;
  /** The cell keeps records until they have been sent. */
  readonly records: Pick<RecordListener, 'made' | 'left'>;
}

const { judgements, traces, steps, records } = proxySinks<WorkflowSinks>();

/** Reported to the cell, whatever happens to this run. */
export const untilTheyHaveLeft: RecordListener = {
  made: (record) => records.made(record),
  left: (places) => records.left(places),
};

interface PoolCall {
  readonly activityType: string;
  readonly options: { readonly taskQueue?: string };
  readonly args: readonly unknown[];
}

/** For a step run by a pool, according to its signature. */
function tellDone({ activityType, options, args }: PoolCall, value: unknown): void {
  if (activityType !== 'applyStep' || rolesOn(options.taskQueue).includes('cell')) return;
  // In the types in which the engine calls it and the pool answers.
  const { incident, action, input } = args[0] as StepCall;
  steps.done({ incident, action, input }, (value as AppliedStep).output);
}

const stepCalls: Readonly<Partial<Record<string, 'plan' | 'apply' | 'undo'>>> = {
  planStep: 'plan',
  applyStep: 'apply',
  undoStep: 'undo',
};

function tellFailed({ activityType, options, args }: PoolCall, failure: unknown): void {
  const what = stepCalls[activityType];
  if (!what || rolesOn(options.taskQueue).includes('cell')) return;
  const cause = failure instanceof ActivityFailure ? failure.cause : undefined;
  if (!(cause instanceof ApplicationFailure) || !cause.nonRetryable || !isErrorCode(cause.type)) return;
  // No trusted process has said that.
  if (cause.type === refusedCode || overBy[cause.type]) return;
  const asked = args[0] as StepCall | UndoCall;
  const { incident, action } = 'call' in asked ? asked.call : asked;
  steps.failed({ incident, action }, what, cause.type);
}

/** Only incidents are traced: the control workflow never ends. */
function tellEnd(error?: string): void {
  const { workflowType, firstExecutionRunId } = workflowInfo();
  if (workflowType !== incidentNames.workflow || !run.start) return;
  traces.ended({ run: firstExecutionRunId, startedAt: run.start.at, ...(error !== undefined && { error }) });
}

/**
 * Returns the message if it counts here. Which keys are trusted only matters the first time that a run receives it. If the cell has lost its memory, judgements
 * made during replay are stored only once the replay has succeeded: restoring keys must help.
 */
function readMessage(received: unknown, expected: Expected): Read {
  const info = workflowInfo();
  const { read, found } = readInRun(received, expected, runBinding(info));
  if (found) run.unproven.push(found);
  if (!info.unsafe.isReplaying) for (const one of run.unproven.splice(0)) judgements.found(one);
  return read;
}

/**
 * Reports rejected messages, including earlier ones. Of many of one kind only the 1st, the 10th, the 100th and so on: otherwise anyone who can reach Temporal
 * could fill the records. One listener per workflow.
 */
export function onRefusedMessages(listener: Listener): void {
  run.listener = listener;
  for (const one of run.untold.splice(0)) listener(one);
}

function refuse(what: string, why: Refusal): void {
  const kind = `${what} ${why}`;
  const times = (run.refused.get(kind) ?? 0) + 1;
  run.refused.set(kind, times);
  if (!/^10*$/.test(String(times))) return;
  const refused = { what, why: refusalTexts[why], times };
  if (run.listener) run.listener(refused);
  else run.untold.push(refused);
}

/** Tells a workflow that nobody trusted has answered. */
const refusedCode = 'FB_ERR_MESSAGE_REFUSED';
/** What a pool answers if it accepts nothing from a run. */
const overBy: Readonly<Partial<Record<string, Refusal>>> = { FB_ERR_PLAYED_BACK: 'played-back', FB_ERR_RUN_AHEAD: 'ahead' };

function refusal(what: string, why: Refusal, type = refusedCode): ApplicationFailure {
  return ApplicationFailure.create({ type, message: `${what}: ${refusalTexts[why]}`, nonRetryable: true });
}

/** The clocks of two cells and a desk may differ by this much. */
const clocksApartMs = 60_000;

/** Whether it was sent to an earlier run of this id, and replayed. Both times come from the signers, not from Temporal. */
function isOutdated({ at = 0 }: Message): boolean {
  return run.start !== undefined && at < run.start.at - clocksApartMs;
}

/** Which roles work on a queue; several if they share one. A workflow's own queue is the cell's. */
function rolesOn(queue: string | undefined): readonly SigningRole[] {
  return queue === undefined ? ['cell'] : signingRoles.filter((role) => run.queues[role] === queue);
}

interface StartInput {
  readonly queues?: Run['queues'];
  readonly settings?: { readonly queues?: Run['queues']; readonly build?: unknown };
}

/** From the arguments of the start, which a cell has signed. */
function inputIn([input]: readonly unknown[]): StartInput {
  return typeof input === 'object' && input !== null ? input : {};
}

/**
 * Anyone who can reach Temporal can reassign a run's tasks to another build, such as an older one that is still running for others, and reset the run as well:
 * then other playbooks would answer the alerts than those of the build on which the cell started it.
 */
function isMoved(): boolean {
  const buildId = workflowInfo().currentDeploymentVersion?.buildId;
  return run.build !== undefined && buildId !== undefined && buildId !== run.build;
}

function startOf({ start }: Message): StartRef | undefined {
  const { firstExecutionRunId } = workflowInfo();
  return start && { began: Date.now(), ...start, firstRun: firstExecutionRunId };
}

/**
 * The failure of an activity as its worker has signed it. Failures from Temporal itself (a timeout, a cancellation) are signed by nobody: they only mean that
 * there is no answer.
 */
function signedFailure(error: unknown, expected: Expected): unknown {
  if (!(error instanceof ActivityFailure)) return error;
  const { cause } = error;
  if (saysNoMore(cause)) return error;
  const read = readMessage(cause instanceof ApplicationFailure ? cause.details?.[0] : undefined, expected);
  const { activityType, activityId, retryState, identity } = error;
  const trusted = read.ok
    ? failureIn(read.message)
    : refusal(`${activityType} failed, and no trusted process reports why`, read.why);
  return new ActivityFailure('Activity task failed', activityType, activityId, retryState, identity, trusted);
}

interface SignedFailure {
  readonly type?: unknown;
  readonly message?: unknown;
  readonly nonRetryable?: unknown;
  readonly retryAfterMs?: unknown;
}

function failureIn({ value }: Message): ApplicationFailure {
  const { type, message, nonRetryable, retryAfterMs }: SignedFailure = typeof value === 'object' && value !== null ? value : {};
  return ApplicationFailure.create({
    type: typeof type === 'string' ? type : 'FB_ERR_INTERNAL',
    message: typeof message === 'string' ? message : 'the activity failed',
    nonRetryable: nonRetryable === true,
    ...(typeof retryAfterMs === 'number' && { nextRetryDelay: retryAfterMs }),
  });
}

/** Every payload of a workflow is a message, signed outside the sandbox, which holds no key. */
export const interceptors: WorkflowInterceptorsFactory = () => ({
  inbound: [
    {
      execute: async (input, next) => {
        const info = workflowInfo();
        const { workflowType, workflowId, continuedFromExecutionRunId } = info;
        const from = workflowTable[workflowType]?.startedBy ?? [];
        let args: unknown[] = [];
        if (from !== 'nobody') {
          const bound = { to: `start:${workflowType}`, workflow: workflowId, run: continuedFromExecutionRunId };
          const read = readMessage(input.args[0], { ...bound, from });
          if (!read.ok) throw refusal(`the start of ${workflowType}`, read.why);
          args = argumentsIn(read.message);
          run.start = startOf(read.message);
          const { queues, settings } = inputIn(args);
          run.queues = settings?.queues ?? queues ?? {};
          run.build = typeof settings?.build === 'string' ? settings.build : undefined;
          if (isMoved()) throw refusal('this run', 'moved');
        }
        const over = new Trigger<never>();
        run.over = over;
        let value: unknown;
        try {
          value = await Promise.race([next({ ...input, args }), over]);
        } catch (error) {
          // A run that continues as new has not ended.
          if (error instanceof ApplicationFailure) tellEnd(error.type ?? 'FB_ERR_INTERNAL');
          throw error;
        }
        tellEnd();
        return { to: `end:${workflowType}`, workflow: workflowId, run: info.firstExecutionRunId, value } satisfies Message;
      },
      handleSignal: async (input, next) => {
        const { workflowType, workflowId } = workflowInfo();
        const from = sendersOf(workflowType, input.signalName) ?? [];
        const to = `signal:${input.signalName}`;
        const read = readMessage(input.args[0], { to, workflow: workflowId, from });
        if (!read.ok) return refuse(to, read.why);
        if (from !== 'anybody' && isOutdated(read.message)) return refuse(to, 'outdated');
        await next({ ...input, args: argumentsIn(read.message) });
      },
      handleQuery: async (input, next) => {
        // The SDK's built-in queries (`__stack_trace` and the like), used by people with Temporal's own tools.
        if (input.queryName.startsWith('__')) return next(input);
        const value = await next({ ...input, args: [] });
        const call = callIn(input.args[0]);
        const to = `answer:${input.queryName}`;
        return { to, workflow: workflowInfo().workflowId, ...(call !== undefined && { call }), value } satisfies Message;
      },
    },
  ],
  outbound: [
    {
      scheduleActivity: async (input, next) => {
        const { activityType, options, args, seq } = input;
        if (isMoved()) {
          const moved = refusal('this run', 'moved');
          run.over?.reject(moved);
          throw moved;
        }
        const info = workflowInfo();
        const bound = { workflow: info.workflowId, run: runBinding(info), call: String(seq) };
        const message: Message = {
          to: `activity:${activityType}`,
          ...bound,
          ...(run.start && { start: run.start }),
          ...(run.start?.began !== undefined && { lastedMs: Date.now() - run.start.began }),
          value: args,
        };
        const answer = { ...bound, asked: digestOfAsked(args), from: rolesOn(options.taskQueue) };
        let received: unknown;
        try {
          received = await next({ ...input, args: [message] });
        } catch (error) {
          const failure = signedFailure(error, { ...answer, to: `failure:${activityType}` });
          // The run must end to free its id for the one that the cell starts.
          const code = codeOf(failure) ?? '';
          const over = overBy[code];
          if (over) run.over?.reject(refusal('this run', over, code));
          tellFailed(input, failure);
          throw failure;
        }
        const read = readMessage(received, { ...answer, to: `result:${activityType}` });
        if (read.ok) {
          tellDone(input, read.message.value);
          return read.message.value;
        }
        const cause = refusal(`an answer to ${activityType}`, read.why);
        throw new ActivityFailure('Activity task failed', activityType, bound.call, 'NON_RETRYABLE_FAILURE', undefined, cause);
      },
      continueAsNew: async (input, next) => {
        const { workflowId, runId } = workflowInfo();
        const { workflowType } = input.options;
        const message: Message = {
          to: `start:${workflowType}`,
          workflow: workflowId,
          run: runId,
          ...(run.start && { start: run.start }),
          value: input.args,
        };
        return next({ ...input, args: [message] });
      },
    },
  ],
});

/** A query is harmless, whoever sends it; only the answer is bound. */
function callIn(received: unknown): string | undefined {
  const value = (received as Partial<Received> | undefined)?.value;
  const { call }: { readonly call?: unknown } = typeof value === 'object' && value !== null ? value : {};
  return typeof call === 'string' ? call : undefined;
}

const firstPauseMs = 1_000;
const longestPauseMs = 60_000;
/** Temporal's default, if a call sets none: a hundred times the first interval. */
const usualLastPauseMs = 100_000;

export type CallOptions = Omit<ActivityOptions, 'scheduleToCloseTimeout' | 'activityId'> & {
  readonly scheduleToCloseTimeout?: Duration | number;
};

/**
 * Activities whose answers only count if a trusted process has signed them. Any other answer is ignored: someone who can reach Temporal has interfered, or a
 * key is not known yet. The call is repeated for as long as it may take; that delays, and decides nothing. The same applies if the call was given up too early:
 * Temporal does so at the earliest one pause before the deadline, but anyone who can reach it can shorten the timeout of a waiting call, or limit it to one
 * attempt.
 */
export function trustedActivities<Activities>(options: CallOptions): Activities {
  const { scheduleToCloseTimeout, ...others } = options;
  const { retry } = others;
  const untilMs =
    typeof scheduleToCloseTimeout === 'string'
      ? durationMs(scheduleToCloseTimeout)
      : (scheduleToCloseTimeout ?? Number.POSITIVE_INFINITY);
  const limited = Number.isFinite(untilMs) && { scheduleToCloseTimeout: untilMs };
  const once = proxyActivities<UntypedActivities>({ ...others, ...limited });
  const { maximumInterval } = retry ?? {};
  const lastPauseMs = isDuration(maximumInterval) ? durationMs(maximumInterval) : usualLastPauseMs;
  const asking =
    (name: string) =>
    async (...args: unknown[]) => {
      const began = Date.now();
      for (let pause = firstPauseMs; ; pause = Math.min(longestPauseMs, pause * 2)) {
        try {
          return await once[name]?.(...args);
        } catch (error) {
          const tookMs = Date.now() - began;
          const againMs = retryAfterMs(error);
          const isAnswer = isGivenUp(error) ? tookMs + Math.max(lastPauseMs, againMs) >= untilMs : !isUntrusted(error);
          if (isAnswer || retry?.maximumAttempts === 1 || tookMs + pause > untilMs) throw error;
          await sleep(Math.max(pause, againMs));
        }
      }
    };
  return new Proxy({}, { get: (_, name) => asking(String(name)) }) as Activities;
}

/** Either there is no answer, which nobody signs; or none yet: the callee has said that it is worth retrying. */
function isGivenUp(error: unknown): boolean {
  return error instanceof ActivityFailure && (saysNoMore(error.cause) || mayBeTriedAgain(error.cause));
}

function mayBeTriedAgain(cause: unknown): boolean {
  return cause instanceof ApplicationFailure && !cause.nonRetryable;
}

/** How long the callee has asked to wait before the next call, such as a service that has had too many. */
function retryAfterMs(error: unknown): number {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  return cause instanceof ApplicationFailure && typeof cause.nextRetryDelay === 'number' ? cause.nextRetryDelay : 0;
}

function saysNoMore(cause: unknown): boolean {
  return cause instanceof TimeoutFailure || cause instanceof CancelledFailure;
}

function isUntrusted(error: unknown): boolean {
  return codeOf(error) === refusedCode;
}

function codeOf(error: unknown): string | null | undefined {
  return error instanceof ActivityFailure && error.cause instanceof ApplicationFailure ? error.cause.type : undefined;
}
