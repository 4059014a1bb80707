import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client, ScheduleNotFoundError } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { StartMemory } from '../../../activities/memory/start-memory.ts';
import type { Alert } from '../../../core/alert/alert.ts';
import { scheduleBellName } from '../../../core/messages/message-table.ts';
import type { LastRun } from '../../../core/playbook/scheduled-runs.ts';
import { playbooks } from '../../../playbooks/index.ts';
import { DurableMemory } from '../../../service/cell/pools/durable-memory.ts';
import { ScheduledRuns } from '../../../service/cell/scheduled-runs.ts';
import { followSchedules, scheduleIdOf } from '../../../service/cell/temporal-schedules.ts';
import { createLog } from '../../../service/process/log.ts';
import { readBuild } from '../../../service/temporal/bundle/bundle.ts';
import { resultOf } from '../../../service/temporal/speaker.ts';
import { deploymentName, makeCurrent } from '../../../service/temporal/versions.ts';
import { queuesOf } from '../../../service/temporal/workers.ts';
import { eventually } from '../../eventually.ts';
import { testPlatform } from '../../platform.ts';
import { bundlePath } from '../../workflows/bundle.ts';
import type { Seen } from '../../workflows/scripted.ts';
import { startScriptedWorkers } from '../../workflows/scripted-workers.ts';
import { clientOptions, testSpeaker } from '../../workflows/speakers.ts';

const { temporalAddress, temporalNamespace: namespace, prefix: cluster } = await testPlatform();
const { cell: taskQueue } = queuesOf(cluster, cluster);
const log = createLog({ log: { level: 'fatal', format: 'json' } });
const folder = mkdtempSync(join(tmpdir(), 'firebreak-schedules-'));
const seen: Seen = { applied: [], undone: [], undoReasons: [], cards: [], threads: [], answers: [], records: [] };
const speaker = testSpeaker(cluster, { namespace, starts: new StartMemory() });
const stopping = new AbortController();
const told: Alert[] = [];
const rotation = 'firebreak/remind-of-rotation';
/** Multiples of 90 days since 1970. */
const momentMs = 90 * 86_400_000;
let now = 100 * momentMs + 1_000;

let connection: NativeConnection;
let client: Client;
let memory: DurableMemory;
let runs: ScheduledRuns;
let workers: Awaited<ReturnType<typeof startScriptedWorkers>>;
let following: Promise<void>;

beforeAll(async () => {
  connection = await NativeConnection.connect({ address: temporalAddress });
  client = new Client({ connection, namespace, ...clientOptions(speaker) });
  memory = new DurableMemory(folder, log);
  runs = new ScheduledRuns({
    cluster,
    playbooks,
    params: { [rotation]: { namespace: 'shop', secret: 'db' } },
    kept: memory.values<LastRun>('scheduled-runs'),
    written: () => memory.written(),
    view: { ready: () => true, pods: () => [] },
    log,
    now: () => now,
  });
  runs.open(async (alert) => {
    told.push(alert);
    return true;
  });
  const build = readBuild(await bundlePath());
  const schedules = { runDueSchedules: () => runs.look() };
  const speakers = { cell: speaker, desk: testSpeaker(cluster, { namespace }) };
  workers = await startScriptedWorkers({ connection, namespace, cluster, build, speakers, seen, schedules });
  await makeCurrent({ client, deployment: deploymentName(cluster), buildId: build.id, withinMs: 120_000 });
  following = followSchedules({
    client,
    cluster,
    taskQueue,
    playbooks: runs.playbooks,
    log,
    signal: stopping.signal,
    everyMs: 200,
  });
});

afterAll(async () => {
  stopping.abort();
  await following;
  await client.schedule
    .getHandle(scheduleIdOf(cluster, rotation))
    .delete()
    .catch(() => undefined);
  await runs.stop();
  await workers.stop();
  await memory.close();
  await connection.close();
  rmSync(folder, { recursive: true, force: true });
});

const described = () =>
  client.schedule
    .getHandle(scheduleIdOf(cluster, rotation))
    .describe()
    .catch((error: unknown) => {
      if (error instanceof ScheduleNotFoundError) return undefined;
      throw error;
    });
const isThere = () => eventually('the schedule', described);

/** As Temporal's schedule does, or anyone who can reach Temporal; the answer is the cell's. */
async function ring(): Promise<unknown> {
  const workflowId = `bell/${cluster}/${rotation}-${randomUUID()}`;
  await client.workflow.start(scheduleBellName, { workflowId, taskQueue, args: [{ due: now, playbook: rotation }] });
  return resultOf(client.workflow.getHandle(workflowId));
}

test('Temporal has a schedule for each scheduled playbook with a target, which skips overlaps, is bounded and reveals nothing', async () => {
  const { spec, action, policies } = await isThere();
  expect(spec.intervals).toMatchObject([{ every: momentMs }]);
  expect(policies).toMatchObject({ overlap: 'SKIP', catchupWindow: 7 * 86_400_000 });
  expect(action).toMatchObject({ workflowType: scheduleBellName, taskQueue, args: [] });
});

test('a schedule’s firing starts what the cell itself finds due, once, however often anybody fires it', async () => {
  const handle = client.schedule.getHandle((await isThere()).scheduleId);
  expect(await ring()).toEqual([]);
  expect(told).toEqual([]);
  now = 101 * momentMs + 1_000;
  await handle.trigger();
  await eventually('the run', () => told.length > 0);
  expect(await Promise.all([ring(), ring(), ring()])).toEqual([[], [], []]);
  await handle.trigger();
  await eventually('both firings', async () => (await handle.describe()).info.numActionsTaken >= 2);
  expect(told).toMatchObject([{ scheduledFor: rotation, workload: { kind: 'Secret', namespace: 'shop', name: 'db' } }]);
});

test('a schedule that somebody pauses or deletes is restored, and that of a removed playbook is deleted', async () => {
  const handle = client.schedule.getHandle((await isThere()).scheduleId);
  await handle.pause();
  await eventually('that it goes on', async () => (await described())?.state.paused === false);
  const gone = scheduleIdOf(cluster, 'firebreak/not-there');
  const { action, spec } = await handle.describe();
  await client.schedule.create({
    scheduleId: gone,
    spec: { intervals: spec.intervals ?? [] },
    action: { type: 'startWorkflow', workflowType: action.workflowType, taskQueue, args: [] },
  });
  await eventually('that it goes', async () =>
    client.schedule
      .getHandle(gone)
      .describe()
      .then(
        () => false,
        (error: unknown) => error instanceof ScheduleNotFoundError,
      ),
  );
  await handle.delete();
  await isThere();
});
