import { randomUUID } from 'node:crypto';
import type { Context } from '@temporalio/activity';
import type { WorkflowClientInterceptor, WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure, type DataConverter } from '@temporalio/common';
import { msOptionalToNumber } from '@temporalio/common/lib/time.js';
import type { ActivityExecuteInput, ActivityInterceptors, InjectedSinks } from '@temporalio/worker';
import { asFailure } from '../../activities/failures.ts';
import type { RecordMemory } from '../../activities/memory/record-memory.ts';
import type { StartMemory } from '../../activities/memory/start-memory.ts';
import type { StepListener } from '../../core/action/step.ts';
import { FirebreakError } from '../../core/errors.ts';
import { incidentNames } from '../../core/incident/incident.ts';
import {
  argumentsIn,
  digestOfAsked,
  type Expected,
  endsRun,
  type Message,
  type Read,
  type Received,
  type Refusal,
  readInRun,
  readMessage,
  refusalTexts,
} from '../../core/messages/message.ts';
import { activitiesOrderedBy, ofAnyStart, workflowsAnsweredBy } from '../../core/messages/message-table.ts';
import type { Judgements } from '../../core/messages/sender.ts';
import type { EndedRun, WorkflowSinks } from '../../workflows/messages.ts';
import { type SpanOptions, type Tracing, traced } from '../process/telemetry/tracing.ts';
import { type CodecOptions, dataConverter } from './codec.ts';

/** How one process, or one role of it, communicates over Temporal: pass all of it to its clients and workers, or nobody accepts their messages. */
export interface Speaker {
  readonly dataConverter: DataConverter;
  /** For workers with workflows: what their runs have received stays valid, whoever is trusted later. */
  readonly workflows: { readonly dataConverter: DataConverter; readonly sinks: InjectedSinks<WorkflowSinks> };
  /** For clients: starts, signals and queries become messages, and answers are accepted from cells only. */
  readonly client: WorkflowClientInterceptor;
  /** For workers: only what a cell orders is done, and the answer is bound to the call. */
  readonly activities: (context: Context) => ActivityInterceptors;
}

/** A rejected activity call. */
export interface RefusedCall {
  readonly activity: string;
  readonly why: Refusal;
}

export interface SpeakerOptions extends Omit<CodecOptions, 'judgements' | 'judgedAre'> {
  readonly onRefused?: (refused: RefusedCall) => void;
  /** For workers: which start of each workflow is the one that runs. Absent: any start that a cell has ever made is accepted. */
  readonly starts?: Pick<StartMemory, 'takes'> | undefined;
  /** For a process with workflows. */
  readonly judgements?: Judgements | undefined;
  /** For a process with workflows: receives the results of steps in pools, signed with the pools' keys. */
  readonly steps?: StepListener | undefined;
  /** For a process with workflows: keeps records until they have been sent. */
  readonly records?: Pick<RecordMemory, 'made' | 'left'> | undefined;
  /** Absent: no tracing. */
  readonly tracing?: Tracing | undefined;
  readonly now?: () => number;
}

export function createSpeaker(options: SpeakerOptions): Speaker {
  const { onRefused = () => undefined, starts, judgements, steps, records, tracing, now = Date.now, ...codec } = options;
  return {
    dataConverter: dataConverter({ ...codec, judgements, judgedAre: 'ends' }),
    workflows: {
      dataConverter: dataConverter({ ...codec, judgements }),
      sinks: {
        judgements: {
          found: { fn: ({ workflowId }, found) => judgements?.found({ ...found, workflow: workflowId }), callDuringReplay: true },
        },
        traces: { ended: { fn: ({ workflowId }, ended) => recordWorkflow(tracing, workflowId, ended) } },
        // Not during replay: the listener keeps what it has received.
        steps: {
          done: { fn: (_, call, output) => steps?.done(call, output) },
          failed: { fn: (_, call, what, code) => steps?.failed(call, what, code) },
        },
        records: {
          made: { fn: ({ runId }, record) => records?.made(runId, record) },
          left: { fn: ({ runId }, places) => records?.left(runId, places) },
        },
      },
    },
    client: clientInterceptor(now, tracing),
    activities: (context) => ({
      inbound: { execute: (input, next) => answered({ context, input, next, starts, now, tracing, onRefused }) },
    }),
  };
}

function clientInterceptor(now: () => number, tracing: Tracing | undefined): WorkflowClientInterceptor {
  const started = (workflow: string | undefined, type: string, args: readonly unknown[]): Message[] => {
    const at = now();
    return [{ to: `start:${type}`, workflow: workflow ?? '', at, start: { id: randomUUID(), at }, value: args }];
  };
  return {
    startWithDetails: async ({ options, ...input }, next) => {
      const startMs = Date.now();
      const args = started(options.workflowId, input.workflowType, options.args);
      const output = await next({ ...input, options: { ...options, args } });
      if (input.workflowType === incidentNames.workflow)
        tracing?.record(
          { id: options.workflowId, run: output.runId },
          ({ startSpan, alertSpan }) => ({ spanId: startSpan, parentId: alertSpan }),
          { name: 'start', kind: 'producer', startMs, endMs: Date.now() },
        );
      return output;
    },
    signal: (input, next) => {
      const workflow = input.workflowExecution.workflowId ?? '';
      const message: Message = { to: `signal:${input.signalName}`, workflow, at: now(), value: input.args };
      return traced({ name: `signal ${input.signalName}`, kind: 'producer' }, () => next({ ...input, args: [message] }));
    },
    query: async (input, next) => {
      const workflow = input.workflowExecution.workflowId ?? '';
      const call = randomUUID();
      const question: Message = { to: `query:${input.queryType}`, workflow, call, at: now(), value: input.args };
      const answer = await next({ ...input, args: [question] });
      return valueFor(answer, { to: `answer:${input.queryType}`, workflow, call });
    },
  };
}

function valueFor(received: unknown, bound: Omit<Expected, 'from'>): unknown {
  return valueIn(readMessage(received, { ...bound, from: workflowsAnsweredBy }), bound.workflow);
}

function valueIn(read: Read, workflow: string): unknown {
  if (read.ok) return read.message.value;
  throw new FirebreakError('FB_ERR_MESSAGE_REFUSED', `what Temporal returned for ${workflow}: ${refusalTexts[read.why]}`);
}

/** How a workflow has ended, as stated by the cell. @throws FB_ERR_MESSAGE_REFUSED if no cell states it. */
export async function resultOf<T>(handle: WorkflowHandle): Promise<T> {
  const { type, raw } = await handle.describe();
  return resultOfRun(handle, type, raw.workflowExecutionInfo?.firstRunId ?? '');
}

/** The same for a run whose first run is known, whatever Temporal says of it. @throws FB_ERR_MESSAGE_REFUSED if no cell states it. */
export async function resultOfRun<T>(handle: WorkflowHandle, type: string, first: string): Promise<T> {
  const bound = { to: `end:${type}`, workflow: handle.workflowId, run: first };
  return valueIn(readInRun(await handle.result(), { ...bound, from: workflowsAnsweredBy }, endsRun).read, handle.workflowId) as T;
}

async function answered({
  context,
  input,
  next,
  starts,
  now,
  tracing,
  onRefused,
}: {
  readonly context: Context;
  readonly input: ActivityExecuteInput;
  readonly next: (input: ActivityExecuteInput) => Promise<unknown>;
  readonly starts: SpeakerOptions['starts'];
  readonly now: () => number;
  readonly tracing: Tracing | undefined;
  readonly onRefused: (refused: RefusedCall) => void;
}): Promise<Message> {
  const { activityType, activityId, workflowExecution, workflowType, attempt } = context.info;
  const [received] = input.args;
  const call = readCall(received, { activity: activityType, call: activityId, workflow: workflowExecution?.workflowId ?? '' });
  if (!call.ok) {
    onRefused({ activity: activityType, why: call.why });
    throw asFailure(new FirebreakError('FB_ERR_MESSAGE_REFUSED', `a call of ${activityType}: ${refusalTexts[call.why]}`));
  }
  const { workflow, run, start, signatures } = call.message;
  const args = argumentsIn(call.message);
  const bound = { workflow, ...(run !== undefined && { run }), call: activityId, asked: digestOfAsked(args) };
  const first = workflowType === incidentNames.workflow ? start?.firstRun : undefined;
  const traces = <T>(work: () => Promise<T>): Promise<T> =>
    tracing && first !== undefined
      ? tracing.within({ id: workflow, run: first }, activitySpan(activityType, { args, attempt }), work)
      : work();
  try {
    const isOfAnyStart = ofAnyStart.some((name) => name === activityType);
    if (starts && !isOfAnyStart && !(await starts.takes(workflow, start, workflowExecution?.runId ?? ''))) {
      onRefused({ activity: activityType, why: 'played-back' });
      throw new FirebreakError('FB_ERR_PLAYED_BACK', `a call of ${activityType}: ${refusalTexts['played-back']}`);
    }
    if (starts && isAhead(call.message, now())) {
      onRefused({ activity: activityType, why: 'ahead' });
      throw new FirebreakError('FB_ERR_RUN_AHEAD', `a call of ${activityType}: ${refusalTexts.ahead}`);
    }
    return {
      to: `result:${activityType}`,
      ...bound,
      value: await traces(() => next({ ...input, args: signatures ? [...args, signatures] : args })),
    };
  } catch (error) {
    // Thrown by the SDK itself, and kept as it is by Temporal.
    if (error instanceof CancelledFailure) throw error;
    const failure = asFailure(error);
    const { type, message, nonRetryable, nextRetryDelay } = failure;
    const retryAfterMs = msOptionalToNumber(nextRetryDelay ?? undefined);
    const told: Message = { to: `failure:${activityType}`, ...bound, value: { type, message, nonRetryable, retryAfterMs } };
    throw ApplicationFailure.create({
      message,
      ...(type != null && { type }),
      ...(nonRetryable != null && { nonRetryable }),
      ...(nextRetryDelay != null && { nextRetryDelay }),
      details: [told],
    });
  }
}

/** How far the clocks of the processes may differ; Temporal's clock may also be corrected meanwhile. */
const clocksApartMs = 5 * 60_000;

/** Whether its run has waited for less time than it believes. Anyone who can skip its time could have people asked too early, and the incident end. */
function isAhead({ start, lastedMs = 0 }: Message, now: number): boolean {
  return start !== undefined && lastedMs > now - start.at + clocksApartMs;
}

/** Named by the activity and, for a step, its action: both are names of ours or of a pack's. */
function activitySpan(
  activity: string,
  { args, attempt }: { readonly args: readonly unknown[]; readonly attempt: number },
): SpanOptions {
  const [asked] = args as readonly { readonly action?: unknown; readonly call?: { readonly action?: unknown } }[];
  const action = asked?.action ?? asked?.call?.action;
  const isStep = typeof action === 'string';
  return {
    name: isStep ? `${activity} ${action}` : activity,
    attributes: { 'temporal.activity': activity, 'temporal.attempt': attempt, ...(isStep && { 'firebreak.action': action }) },
  };
}

/** From its start, by the clock of its creator, to its end; reported by the run itself once it has ended. */
function recordWorkflow(tracing: Tracing | undefined, id: string, { run, startedAt, error }: EndedRun): void {
  tracing?.record({ id, run }, ({ workflowSpan, startSpan }) => ({ spanId: workflowSpan, parentId: startSpan }), {
    name: 'incident',
    kind: 'internal',
    startMs: startedAt,
    endMs: Math.max(startedAt, Date.now()),
    attributes: { 'firebreak.incident': id },
    ...(error !== undefined && { error }),
  });
}

/** The cell states which run it is bound to; a workflow that was reset continues under another Temporal run id. */
function readCall(
  received: unknown,
  { activity, call, workflow }: { readonly activity: string; readonly call: string; readonly workflow: string },
) {
  const claimed = runIn(received);
  return readMessage(received, { to: `activity:${activity}`, workflow, call, run: claimed, from: activitiesOrderedBy });
}

function runIn(received: unknown): string | undefined {
  const value = (received as Partial<Received> | null | undefined)?.value;
  const { run }: { readonly run?: unknown } = typeof value === 'object' && value !== null ? value : {};
  return typeof run === 'string' ? run : undefined;
}
