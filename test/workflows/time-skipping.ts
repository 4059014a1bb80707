import { setTimeout as wait } from 'node:timers/promises';
import proto from '@temporalio/proto';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { timeSkippingServerPath } from '../../service/parts/time-skipping-server.ts';
import { outlineOf } from './replay-history.ts';
import { clientOptions, testSpeaker } from './speakers.ts';

/** Shorter than the half minute after which an idle connection sends a ping. */
const askEveryMs = 10_000;
const lookEveryMs = 5_000;
const leastStillLooks = 2;

const { EventType } = proto.temporal.api.enums.v1;
const begins = EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED;
const ends: ReadonlySet<unknown> = new Set([
  EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
  EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
  EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
]);

/** A Temporal server on which days pass in a moment. */
export async function startTimeSkipping(): Promise<TestWorkflowEnvironment> {
  const path = await timeSkippingServerPath();
  const env = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path } },
    client: clientOptions(testSpeaker()),
  });
  keepFromPinging(env);
  const { sleep } = env;
  env.sleep = (duration) => skipping(env, () => sleep(duration));
  return env;
}

/** Runs work that lets the server skip time, and makes sure that the server does. */
export async function skipping<T>(env: TestWorkflowEnvironment, work: () => Promise<T>): Promise<T> {
  const working = new AbortController();
  let unlocked = 0;
  const noteUnlocked = (): void => {
    unlocked += 1;
  };
  const seeing = env.supportsTimeSkipping ? skipOn(env, working.signal, noteUnlocked) : Promise.resolve();
  const seen = seeing.catch(() => undefined);
  try {
    return await work();
  } finally {
    working.abort();
    await seen;
    // Unlocks are counted: if the server was only slow, it would skip time from now on, even while a test waits for people.
    for (; unlocked > 0; unlocked -= 1) await env.connection.testService?.lockTimeSkipping({});
  }
}

/**
 * The server skips no time while a call is under way, and does not resume if the run of that call is ended meanwhile. On a busy machine this was also seen
 * without a run ending. A sleep then takes its full real time. So if nothing has happened for some looks and time passes at clock speed, this tells the server
 * again to skip. If that is a mistake because the machine is only slow, the server also skips the time that calls have: each times out before it is done.
 */
async function skipOn(env: TestWorkflowEnvironment, signal: AbortSignal, onUnlocked: () => void): Promise<void> {
  // On a busy server a call may time out, and a run may end between two calls: look again.
  const look = () => lookAt(env).catch(() => undefined);
  let stillLooks = 0;
  for (let before = await look(); ; ) {
    await wait(lookEveryMs, undefined, { signal, ref: false });
    const now = await look();
    stillLooks = before && now && isStill(before, now) ? stillLooks + 1 : 0;
    before = now;
    if (stillLooks < leastStillLooks || signal.aborted) continue;
    stillLooks = 0;
    const isTold = await env.connection.testService?.unlockTimeSkipping({}).then(
      () => true,
      () => false,
    );
    if (isTold) onUnlocked();
  }
}

interface Look {
  readonly here: number;
  readonly there: number;
  readonly idle: string | undefined;
}

async function lookAt(env: TestWorkflowEnvironment): Promise<Look> {
  return { here: Date.now(), there: await env.currentTimeMs(), idle: await idleAt(env) };
}

/** Whether nothing has happened, and time passes at clock speed. */
function isStill(before: Look, now: Look): boolean {
  const isSkipping = now.there - before.there > 2 * (now.here - before.here);
  return !isSkipping && now.idle !== undefined && now.idle === before.idle;
}

/** How far each open run has come; undefined if anything of one is under way. */
async function idleAt({ client, connection }: TestWorkflowEnvironment): Promise<string | undefined> {
  const { namespace } = client.options;
  const { executions } = await connection.workflowService.listOpenWorkflowExecutions({ namespace });
  const runs: string[] = [];
  for (const { execution } of executions) {
    const handle = client.workflow.getHandle(execution?.workflowId ?? '');
    const { raw, historyLength } = await handle.describe();
    const isBusy = raw.pendingWorkflowTask || raw.pendingActivities?.length;
    if (isBusy && !isLost(await handle.fetchHistory())) return undefined;
    runs.push(`${execution?.workflowId} ${historyLength}`);
  }
  return runs.sort().join('\n');
}

/**
 * Whether this server has lost a run. If a timer fires while a task is under way that then cancels it, the server takes the first half of that task's
 * commands and refuses the rest, where the real one drops the timer's event. The history then has two tasks begun at once, and the run never goes on.
 */
export function isLost({ events }: proto.temporal.api.history.v1.IHistory): boolean {
  const tasks = (events ?? []).map(({ eventType }) => eventType).filter((type) => type === begins || ends.has(type));
  return tasks.some((type, index) => type === begins && tasks[index + 1] === begins);
}

/** What the server holds of a run, for the report of a wait that had no end: what is under way, and each event. */
export async function heldOf(env: TestWorkflowEnvironment, workflowId: string): Promise<string> {
  const handle = env.client.workflow.getHandle(workflowId);
  const [{ raw }, history, now] = await Promise.all([handle.describe(), handle.fetchHistory(), env.currentTimeMs()]);
  const { pendingWorkflowTask, pendingActivities } = raw;
  const held = JSON.stringify({ pendingWorkflowTask, pendingActivities });
  if (isLost(history)) return `The time-skipping server has lost the run. Its history:\n${outlineOf(history)}`;
  return `The server's time is ${now / 1_000}. Under way: ${held}. Its history:\n${outlineOf(history)}`;
}

/**
 * This server closes a connection after the third ping without an answer of its own in between ("excess pings"; gRPC for Java allows one in five minutes).
 * Anything it has just handed to the worker on that connection is lost for the ten seconds of a workflow task: a file that takes minutes took many more.
 */
function keepFromPinging({ connection, nativeConnection }: TestWorkflowEnvironment): void {
  const asking = setInterval(() => {
    const asked = [connection, nativeConnection].map(({ workflowService }) => workflowService.getSystemInfo({}));
    // The connections are closed.
    Promise.all(asked).catch(() => clearInterval(asking));
  }, askEveryMs);
  asking.unref();
}
