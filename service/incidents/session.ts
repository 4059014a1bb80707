import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, QueryNotRegisteredError, WorkflowNotFoundError } from '@temporalio/client';
import { type ControlState, controlNames } from '../../core/decide/control.ts';
import { FirebreakError, undefinedIf } from '../../core/errors.ts';
import { incidentNames } from '../../core/incident/incident.ts';
import type { IncidentState } from '../../core/incident/incident-state.ts';
import { controlIdOf } from '../../core/orders/order.ts';
import type { Config } from '../config/load.ts';
import { grpc, grpcCode, howItFailed, isCatchingUp } from '../temporal/grpc-status.ts';
import { resultOfRun } from '../temporal/speaker.ts';

/** Temporal waits ten seconds for the worker that last had a workflow, which may have been killed, and then asks another. */
const callMs = 20_000;
const slowMs = 3_000;
/** Longer than Temporal waits before it retries a failed task. */
const catchingUpMs = 90_000;
const askAgainMs = 2_000;

/** A connection to Temporal according to the configuration file. Callers must close it: it keeps the process alive. */
export interface Session {
  readonly config: Config;
  readonly client: Client;
  /** Set if a person is waiting and can be told why: requests are repeated while a workflow catches up after an outage. Called once for each answer. */
  readonly onCatchingUp?: (about: string) => void;
  /** The same if no answer has arrived for some seconds. Called once for each answer. */
  readonly onSlow?: (about: string) => void;
  /** Time after which a call counts as unanswered; twenty seconds by default. */
  readonly withinMs?: number;
  close(): Promise<void>;
}

/** A session over a connection that the caller closes. `withinMs` applies to every call over it: of two deadlines the inner one counts. */
export function sessionOver(config: Config, client: Client, withinMs?: number): Session {
  return { config, client, ...(withinMs !== undefined && { withinMs }), close: async () => undefined };
}

export interface IncidentName {
  readonly id: string;
  readonly run?: string;
  /** Temporal has just listed it as running, so this is not checked again. */
  readonly isRunning?: boolean;
}

const noAnswer: readonly (number | undefined)[] = [
  grpc.cancelled,
  grpc.deadlineExceeded,
  grpc.resourceExhausted,
  grpc.unavailable,
];

function faultOfCall(error: unknown, { id, run }: IncidentName): FirebreakError {
  if (error instanceof FirebreakError) return error;
  if (error instanceof WorkflowNotFoundError)
    return new FirebreakError('FB_ERR_UNKNOWN_ID', `there is no incident ${id}${run === undefined ? '' : ` with run ${run}`}`);
  if (isCatchingUp(error)) return stillCatchingUp(id);
  if (error instanceof QueryNotRegisteredError || noAnswer.includes(grpcCode(error)))
    return new FirebreakError(
      'FB_ERR_UNAVAILABLE',
      `no answer about ${id} (${howItFailed(error)}): is Temporal reachable, and is a Firebreak with the role cell running?`,
      { cause: error },
    );
  return new FirebreakError('FB_ERR_INTERNAL', `the state of ${id} cannot be read`, { cause: error });
}

function stillCatchingUp(about: string): FirebreakError {
  return new FirebreakError(
    'FB_ERR_UNAVAILABLE',
    `${about} is catching up after an outage of Temporal, which repeats its last task: ask again in a minute. If that does not help, the task fails for another reason: see the log of the cell`,
  );
}

/** Asks and, if a person is waiting who can be told, asks again while the workflow catches up after an outage. */
async function asked<T>(session: Session, about: string, ask: () => Promise<T>): Promise<T> {
  const { client, onCatchingUp, onSlow, withinMs = callMs } = session;
  const until = Date.now() + catchingUpMs;
  for (let said = false; ; said = true) {
    const slow = said ? undefined : setTimeout(() => onSlow?.(about), slowMs);
    try {
      return await client.withDeadline(Date.now() + withinMs, ask);
    } catch (error) {
      if (!onCatchingUp || !isCatchingUp(error) || Date.now() >= until) throw error;
      if (!said) onCatchingUp(about);
      await sleep(askAgainMs);
    } finally {
      clearTimeout(slow);
    }
  }
}

/**
 * Returns the state of an incident: from the running workflow, or its result once it has ended.
 * @throws FB_ERR_UNAVAILABLE, FB_ERR_UNKNOWN_ID.
 */
export async function incidentState(session: Session, name: IncidentName): Promise<IncidentState> {
  const handle = session.client.workflow.getHandle(name.id, name.run);
  try {
    const state = await asked(session, name.id, async () => {
      const ended = name.isRunning ? undefined : await handle.describe();
      if (ended?.status.name !== 'COMPLETED') return handle.query<IncidentState>(incidentNames.stateQuery);
      return resultOfRun<IncidentState>(handle, ended.type, ended.raw.workflowExecutionInfo?.firstRunId ?? '');
    });
    // A decision must be about the incident that was named.
    if (state.incident.id !== name.id) throw new FirebreakError('FB_ERR_UNAVAILABLE', `another incident answers for ${name.id}`);
    return state;
  } catch (error) {
    throw faultOfCall(error, name);
  }
}

/**
 * Returns what is decided above all incidents of a cluster.
 * @throws FB_ERR_UNAVAILABLE if no cell has started it yet.
 */
export async function controlState(session: Session, cluster: string = session.config.cluster): Promise<ControlState> {
  const handle = session.client.workflow.getHandle(controlIdOf(cluster));
  const about = `the list of decisions of ${cluster}`;
  try {
    return await asked(session, about, () => handle.query<ControlState>(controlNames.stateQuery));
  } catch (error) {
    if (error instanceof FirebreakError) throw error;
    if (isCatchingUp(error)) throw stillCatchingUp(about);
    throw new FirebreakError(
      'FB_ERR_UNAVAILABLE',
      `no answer about the decisions of ${cluster} (${howItFailed(error)}): is a Firebreak with the role cell running?`,
      { cause: error },
    );
  }
}

/**
 * Polls after something was sent, until `found` returns something for an answer; undefined if that does not happen in time. Missing answers do not end the
 * polling: an order about packs restarts the service, so for a while nobody can confirm that it was accepted.
 */
export async function answerOf<State, T>(
  ask: () => Promise<State>,
  found: (now: State) => T | undefined,
  withinMs = 60_000,
): Promise<T | undefined> {
  const until = Date.now() + withinMs;
  for (let waitMs = 100; Date.now() < until; waitMs = Math.min(waitMs * 2, 1_000)) {
    await sleep(waitMs);
    const now = await ask().catch(undefinedIf('FB_ERR_UNAVAILABLE'));
    const answer = now === undefined ? undefined : found(now);
    if (answer !== undefined) return answer;
  }
  return undefined;
}

/** @throws FB_ERR_UNAVAILABLE, FB_ERR_UNKNOWN_ID (the signal may have arrived: send it again with the same ids). */
export async function signalIncident(session: Session, name: IncidentName, signal: string, payload: unknown): Promise<void> {
  const { client, withinMs = callMs } = session;
  const handle = client.workflow.getHandle(name.id, name.run);
  try {
    await client.withDeadline(Date.now() + withinMs, () => handle.signal(signal, payload));
  } catch (error) {
    throw faultOfCall(error, name);
  }
}
