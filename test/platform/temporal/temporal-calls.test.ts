import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { msToTs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';
import { incidentNames } from '../../../core/incident/incident.ts';
import { namesIn, temporalCalls } from '../../../core/messages/temporal-calls.ts';
import { eventually } from '../../eventually.ts';
import { alertOf, batchOf } from '../../workflows/people.ts';
import { startOpenIncidents } from './open-incidents-rig.ts';

const rig = await startOpenIncidents();
afterAll(() => rig.stop());
const {
  asks,
  begun,
  build,
  client,
  cluster,
  connection,
  deployment,
  gateway,
  log,
  namespace,
  queues,
  seen,
  startWorkers,
  stateOf,
  stopWorkers,
} = rig;

const identity = 'somebody';
const hours = msToTs('10000h');
const service = () => client.workflowService;

interface Execution {
  readonly workflowId: string;
  readonly runId: string;
}

test('each call that Temporal has is in the table once', () => {
  const has = (of: object) =>
    Object.entries(of).flatMap(([name, value]) => (typeof value === 'function' && name !== 'rpcImpl' ? name : []));
  const there = [...has(client.workflowService), ...has(connection.operatorService)];
  expect(temporalCalls.flatMap(namesIn).sort()).toEqual(there.sort());
});

/** Checks that it continues: it asks, and hears what comes. */
async function goesOn(name: string): Promise<void> {
  const { id } = await begun(name);
  await eventually('its question', async () => asks(await stateOf({ workflowId: id })));
  await isTold(id, 2);
}

async function isTold(id: string, total: number): Promise<void> {
  const batch = batchOf([alertOf({ cluster, n: 7, rule: `Another rule, ${total}` })]);
  // As the intake does: an incident that has just been ended accepts none until it is restarted.
  await eventually('it to be sent', async () => (await gateway.signal(id, batch)).kind === 'signalled');
  await eventually('what it is told', async () => {
    const state = await stateOf({ workflowId: id }).catch(() => undefined);
    return state !== undefined && state.total >= total && asks(state);
  });
}

const areKept = (id: string) => eventually('its records', () => seen.records.some(({ chain }) => chain.startsWith(`${id}@`)));

/** Starts an incident whose calls to the desk wait, because the desk is down. */
async function withCallsThatWait(name: string): Promise<Execution & { readonly calls: readonly string[] }> {
  await stopWorkers();
  await startWorkers(['cell']);
  const { id, run } = await begun(name);
  const calls = await eventually('a call of the desk', async () => {
    const { raw } = await client.workflow.getHandle(id).describe();
    const records = (raw.pendingActivities ?? []).filter(({ activityType }) => activityType?.name === 'recordAudit');
    return records.length > 0 && records.map(({ activityId }) => activityId ?? '');
  });
  return { workflowId: id, runId: run, calls };
}

async function deskIsBack(): Promise<void> {
  await stopWorkers();
  await startWorkers();
}

describe('a call that somebody has postponed for a year is still made, and people are told', () => {
  const ways: readonly (readonly [string, (execution: Execution, id: string) => Promise<unknown>])[] = [
    ['by resetting it', (execution, id) => service().resetActivity({ namespace, execution, identity, id, jitter: hours })],
    [
      'by pausing it, and letting it go on some time',
      async (execution, id) => {
        await service().pauseActivity({ namespace, execution, identity, id, reason: '' });
        await service().unpauseActivity({ namespace, execution, identity, id, jitter: hours });
      },
    ],
    [
      'by failing it, to be tried again then',
      async ({ workflowId }, id) => {
        const failure = { message: 'later', applicationFailureInfo: { type: 'Later', nextRetryDelay: hours } };
        await eventually('it to be taken', async () => {
          const { taskToken, workflowExecution, activityId } = await client.withDeadline(Date.now() + 60_000, () =>
            service().pollActivityTaskQueue({ namespace, taskQueue: { name: queues.desk }, identity }),
          );
          await service().respondActivityTaskFailed({ namespace, identity, taskToken, failure });
          return workflowExecution?.workflowId === workflowId && activityId === id;
        });
      },
    ],
  ];
  const said = jest.spyOn(log, 'error');
  afterAll(() => said.mockRestore());

  test.each(ways)('%s', async (name, way) => {
    const { calls, ...execution } = await withCallsThatWait(`put-off-${name.replaceAll(/\W+/g, '-')}`);
    for (const id of calls) await way(execution, id);
    await deskIsBack();
    await areKept(execution.workflowId);
    // The same trouble is reported once, for all of them.
    const told = said.mock.calls.filter(([, text]) => String(text).includes('postponed calls'));
    expect(told[0]?.[0]).toMatchObject({ queue: queues.desk, putOffSeconds: expect.any(Number) });
  });
});

describe('a call whose options somebody has changed still gets its answer', () => {
  test.each([
    ['sent to a queue that nobody takes work from', { taskQueue: { name: 'nowhere' } }, 'task_queue.name'],
    ['given a millisecond', { startToCloseTimeout: msToTs(1) }, 'start_to_close_timeout'],
  ])('%s', async (name, activityOptions, path) => {
    const { calls, ...execution } = await withCallsThatWait(`changed-${name.replaceAll(' ', '-')}`);
    for (const id of calls)
      await service().updateActivityOptions({
        ...{ namespace, execution, identity, id, activityOptions },
        updateMask: { paths: [path] },
      });
    await deskIsBack();
    await areKept(execution.workflowId);
  });
});

test('what somebody completes, fails, cancels or heartbeats in place of a pool is no answer', async () => {
  const { calls, ...execution } = await withCallsThatWait('answered-by-id');
  for (const activityId of calls) {
    const call = { namespace, identity, ...execution, activityId };
    const failure = { message: 'no', applicationFailureInfo: { type: 'FB_ERR_REFUSED', nonRetryable: true } };
    // Temporal accepts no failure and no heartbeat for a task that nobody has taken yet.
    await Promise.allSettled([
      service().recordActivityTaskHeartbeatById(call),
      service().respondActivityTaskCanceledById(call),
      service().respondActivityTaskFailedById({ ...call, failure }),
    ]);
    await service().respondActivityTaskCompletedById(call);
  }
  const { audit } = await eventually('its state', () => stateOf(execution).catch(() => undefined));
  expect(audit.acknowledged).toBe(0);
  await deskIsBack();
  await areKept(execution.workflowId);
  await isTold(execution.workflowId, 2);
});

test('a worker that somebody reports as shut down, or reconfigures, keeps working', async () => {
  const workers = await eventually('our workers', async () => {
    const { workersInfo } = await service().listWorkers({ namespace });
    const keys = (workersInfo ?? []).flatMap(({ workerHeartbeat }) => {
      const { taskQueue, workerInstanceKey } = workerHeartbeat ?? {};
      return workerInstanceKey && (taskQueue === queues.cell || taskQueue === queues.desk)
        ? { taskQueue, workerInstanceKey }
        : [];
    });
    return keys.length > 0 && keys;
  });
  for (const { taskQueue, workerInstanceKey } of workers) {
    await service().shutdownWorker({ namespace, identity, workerInstanceKey, taskQueue, taskQueueTypes: [1, 2], reason: '' });
    // Nobody listens for them.
    await Promise.allSettled([
      service().fetchWorkerConfig({ namespace, identity, selector: { workerInstanceKey } }),
      service().updateWorkerConfig({
        ...{ namespace, identity, selector: { workerInstanceKey } },
        workerConfig: { workflowCacheSize: 0 },
        updateMask: { paths: ['workflow_cache_size'] },
      }),
    ]);
  }
  await goesOn('after-a-shutdown');
});

test('binaries that somebody marks as bad in Temporal’s namespace keep working', async () => {
  const binaries = ['', build.id, `${deployment}.${build.id}`];
  try {
    for (const binary of binaries) {
      const bad = { [binary]: { reason: 'bad', operator: identity } };
      await service().updateNamespace({ namespace, config: { badBinaries: { binaries: bad } } });
    }
    await goesOn('a-bad-binary');
  } finally {
    for (const deleteBadBinary of binaries)
      await service()
        .updateNamespace({ namespace, deleteBadBinary })
        .catch(() => undefined);
  }
});

test('older ways to say which build runs what, and rules that pause calls, do not keep an incident from starting', async () => {
  const theirs = 'theirs';
  // Some are turned off unless the server is configured otherwise.
  await Promise.allSettled([
    service().updateWorkerVersioningRules({
      ...{ namespace, taskQueue: queues.cell },
      insertAssignmentRule: { rule: { targetBuildId: theirs } },
    }),
    service().updateWorkerBuildIdCompatibility({ namespace, taskQueue: queues.cell, addNewBuildIdInNewDefaultSet: theirs }),
    service().setCurrentDeployment({ namespace, identity, deployment: { seriesName: deployment, buildId: theirs } }),
    service().createWorkerDeploymentVersion({
      ...{ namespace, identity, requestId: randomUUID() },
      deploymentVersion: { deploymentName: deployment, buildId: theirs },
    }),
    service().deleteWorkerDeploymentVersion({
      ...{ namespace, identity, skipDrainage: true },
      deploymentVersion: { deploymentName: deployment, buildId: build.id },
    }),
    service().createWorkflowRule({
      ...{ namespace, identity, requestId: randomUUID(), forceScan: true },
      spec: { id: theirs, activityStart: { predicate: 'ActivityType != ""' }, actions: [{ activityPause: {} }] },
    }),
  ]);
  await goesOn('older-ways');
  await service()
    .deleteWorkflowRule({ namespace, ruleId: theirs })
    .catch(() => undefined);
});

test.each([
  ['ended', { terminationOperation: { identity } }],
  ['set back', { resetOperation: { identity, options: { firstWorkflowTask: {} } } }],
  ['sent rubbish', { signalOperation: { identity, signal: incidentNames.alertsSignal } }],
])('an incident that is %s in a batch with others goes on', async (name, operation) => {
  const { id } = await begun(`all-${name.replaceAll(' ', '-')}`);
  await eventually('its question', async () => asks(await stateOf({ workflowId: id })));
  // Temporal lists it a moment later.
  await eventually('it to be among them', async () => {
    const jobId = randomUUID();
    await service().startBatchOperation({
      ...{ namespace, jobId, reason: 'theirs', ...operation },
      visibilityQuery: `WorkflowId="${id}" AND ExecutionStatus="Running"`,
    });
    const { completeOperationCount } = await eventually('its end', async () => {
      const found = await service().describeBatchOperation({ namespace, jobId });
      return found.state === proto.temporal.api.enums.v1.BatchOperationState.BATCH_OPERATION_STATE_COMPLETED && found;
    });
    return Number(completeOperationCount) > 0;
  });
  await isTold(id, 2);
});

test('the start of an incident by somebody’s own schedule fails at once', async () => {
  const { id, run } = await begun('started-truly');
  const { events } = await client.workflow.getHandle(id, run).fetchHistory();
  const { input } = events?.[0]?.workflowExecutionStartedEventAttributes ?? {};
  const scheduleId = `theirs-${randomUUID()}`;
  const action = {
    startWorkflow: {
      workflowId: `${id}-scheduled`,
      workflowType: { name: incidentNames.workflow },
      taskQueue: { name: queues.cell },
      ...(input && { input }),
    },
  };
  await service().createSchedule({
    ...{ namespace, identity, scheduleId, requestId: randomUUID() },
    schedule: { spec: {}, action },
    initialPatch: { triggerImmediately: {} },
  });
  const begunByIt = await eventually('its run', async () => {
    const { schedule, info } = await service().describeSchedule({ namespace, scheduleId });
    return (schedule && info?.recentActions?.[0]?.startWorkflowResult) ?? undefined;
  });
  const handle = client.workflow.getHandle(begunByIt.workflowId ?? '', begunByIt.runId ?? '');
  await eventually('its end', async () => (await handle.describe()).status.name === 'FAILED');
  const { events: of } = await handle.fetchHistory();
  expect(of?.some(({ activityTaskScheduledEventAttributes: call }) => call)).toBe(false);
  await service().deleteSchedule({ namespace, scheduleId, identity });
});
