import { setTimeout as wait } from 'node:timers/promises';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { timeSkippingServerPath } from '../../service/parts/time-skipping-server.ts';
import { clientOptions, testSpeaker } from './speakers.ts';

/** Less than the half minute after which a connection on which nothing comes sends a ping. */
const askEveryMs = 10_000;
const lookEveryMs = 5_000;
const leastStillLooks = 2;

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

/** Does what lets the server skip time, and sees that it does. */
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
    // It counts: what was only slow would have time skipped from now on, also while a test waits for people.
    for (; unlocked > 0; unlocked -= 1) await env.connection.testService?.lockTimeSkipping({});
  }
}

/**
 * The server skips no time while a call is under way, and forgets to go on where the run of that call is ended meanwhile. On a busy machine it was seen to
 * forget it also where no run was ended. Whoever sleeps then sleeps for as long as they said: so where nothing has happened for some looks and time goes by as on a clock, it is told
 * to skip once more. Told so by mistake, since the machine is only slow, it skips the time that calls have, too: each is over before it is done.
 */
async function skipOn(env: TestWorkflowEnvironment, signal: AbortSignal, onUnlocked: () => void): Promise<void> {
  // A busy server lets a call run out, and a run may end between two calls: it is looked again.
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

/** Nothing has happened, and time goes by as on a clock. */
function isStill(before: Look, now: Look): boolean {
  const isSkipping = now.there - before.there > 2 * (now.here - before.here);
  return !isSkipping && now.idle !== undefined && now.idle === before.idle;
}

/** How far each open run has come; undefined where something of one is under way. */
async function idleAt({ client, connection }: TestWorkflowEnvironment): Promise<string | undefined> {
  const { namespace } = client.options;
  const { executions } = await connection.workflowService.listOpenWorkflowExecutions({ namespace });
  const runs: string[] = [];
  for (const { execution } of executions) {
    const { raw, historyLength } = await client.workflow.getHandle(execution?.workflowId ?? '').describe();
    if (raw.pendingWorkflowTask || raw.pendingActivities?.length) return undefined;
    runs.push(`${execution?.workflowId} ${historyLength}`);
  }
  return runs.sort().join('\n');
}

/**
 * This server closes a connection after the third ping without an answer of its own in between ("excess pings"; gRPC for Java allows one in five minutes), and
 * what it has just handed to the worker on it is lost for the ten seconds of a workflow task: a file that takes minutes took many more.
 */
function keepFromPinging({ connection, nativeConnection }: TestWorkflowEnvironment): void {
  const asking = setInterval(() => {
    const asked = [connection, nativeConnection].map(({ workflowService }) => workflowService.getSystemInfo({}));
    // They are closed.
    Promise.all(asked).catch(() => clearInterval(asking));
  }, askEveryMs);
  asking.unref();
}
