import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { Client, WorkflowNotFoundError } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';
import { RecordMemory } from '../../../activities/memory/record-memory.ts';
import type { DeskActivities } from '../../../core/action/step.ts';
import { controlNames } from '../../../core/decide/control.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { incidentIdOf, incidentNames } from '../../../core/incident/incident.ts';
import { activityTable } from '../../../core/messages/message-table.ts';
import { controlIdOf } from '../../../core/orders/order.ts';
import { OpenBook } from '../../../service/cell/open/open-book.ts';
import { loadConfig } from '../../../service/config/load.ts';
import { openIncidentIds, rowsOf } from '../../../service/incidents/rows.ts';
import { type Session, sessionOver } from '../../../service/incidents/session.ts';
import { createActivityWorker } from '../../../service/temporal/workers.ts';
import { eventually } from '../../eventually.ts';
import { alertOf, batchOf, subject } from '../../workflows/people.ts';
import { startOpenIncidents } from './open-incidents-rig.ts';

const rig = await startOpenIncidents();
afterAll(() => rig.stop());
const {
  asks,
  begun,
  begunAgain,
  build,
  cellKnowing,
  client,
  cluster,
  connection,
  deployment,
  folder,
  gateway,
  incidents,
  kept,
  log,
  memory,
  namespace,
  ofDesk,
  open,
  options,
  queues,
  records,
  seen,
  setAside,
  setAsideTold,
  settings,
  starts,
  startWorkers,
  stateOf,
  stopping,
  stopWorkers,
  watch,
} = rig;

test('an incident that has not reached Temporal yet is not mistaken for one that somebody deleted', async () => {
  const own = { ...subject, cluster, name: 'a-on-its-way' };
  const id = incidentIdOf(own);
  const batch = batchOf([alertOf({ cluster })]);
  open.hears(id, batch);
  // An incident that is looked at after this one, and has been restarted by then.
  const other = await begun('b-looked-at-after-it');
  await client.workflow.getHandle(other.id).terminate('by a stranger');
  await begunAgain(other.id, other.run);
  await expect(client.workflow.getHandle(id).describe()).rejects.toBeInstanceOf(WorkflowNotFoundError);
  expect((await gateway.start(id, { subject: own, batch }, options)).kind).toBe('started');
  const { timeline, total } = await eventually('its state', () => stateOf({ workflowId: id }).catch(() => undefined));
  expect(total).toBe(1);
  expect(timeline.map(({ kind }) => kind)).not.toContain('incident.restarted');
});

test('an incident that somebody terminates is restarted with all its alerts, asks again, and says so', async () => {
  const { id, run } = await begun('ended');
  await gateway.signal(id, batchOf([alertOf({ cluster, n: 2, rule: 'Another rule' })]));
  await eventually('its question', async () => asks(await stateOf({ workflowId: id })));
  await client.workflow.getHandle(id).terminate('by a stranger');
  const again = await begunAgain(id, run);
  expect(again.total).toBe(2);
  await eventually('its question again', async () => asks(await stateOf({ workflowId: id })));
  expect(seen.threads.some((text) => text.includes('did not end normally (terminated)'))).toBe(true);
});

test('one that a person has ordered to begin again says who, why and with which build', async () => {
  const { id, run } = await begun('ordered');
  await eventually('its question', async () => asks(await stateOf({ workflowId: id })));
  watch.ordered(run, { name: 'Ada', reason: 'playbook corrected' });
  await client.workflow.getHandle(id, run).terminate('firebreak incidents rerun');
  const again = await begunAgain(id, run);
  const said = again.timeline.find(({ kind }) => kind === 'incident.restarted')?.text;
  expect(said).toBe(
    `Ada had this incident begun again with build ${build.id}: playbook corrected. Open questions are asked again, without their earlier votes.`,
  );
  await eventually('the thread', () =>
    Promise.resolve(seen.threads.some((text) => text.includes('Ada had this incident begun again'))),
  );
});

test('a run that is set aside is reported until the report has arrived, with what of it is contained', async () => {
  const { id, run } = await begun('set-aside');
  setAside.add({ workflow: id, run, at: Date.now(), why: 'it did not answer' });
  // The control workflow is no incident: it is not reported to itself.
  setAside.add({ workflow: `control/${cluster}`, run: 'r', at: Date.now(), why: 'it did not answer' });
  await eventually('the report', () => Promise.resolve(setAside.untold().length === 0));
  expect(setAsideTold).toEqual([
    {
      ...{ incident: { id, run }, why: 'it did not answer' },
      ...{ playbooks: ['firebreak/contain-dropped-binary'], contained: ['shop/cart-1'] },
    },
  ]);
});

test.each(['ended', 'set back'] as const)(
  'what it has recorded is not lost when it is %s before the record is stored',
  async (how) => {
    await stopWorkers();
    await startWorkers(['cell']);
    const { id, run } = await begun(`records-${how.replace(' ', '-')}`);
    await eventually('its question', async () => asks(await stateOf({ workflowId: id })));
    const all = { first: 'none', run: 'none', isSetBack: true };
    const made = await eventually('what it has put on record', () => {
      const there = records.before(id, all);
      return Promise.resolve(there.some(({ kind }) => kind === 'step.applied') && there);
    });
    const isThere = ({ number, at }: (typeof made)[number]): boolean =>
      seen.records.some((record) => record.chain === `${id}@${run}` && record.number === number && record.at === at);
    expect(made.some(isThere)).toBe(false);
    if (how === 'ended') await client.workflow.getHandle(id).terminate('by a stranger');
    else {
      const { events } = await client.workflow.getHandle(id).fetchHistory();
      const firstTask = events?.find(({ workflowTaskCompletedEventAttributes: done }) => done)?.eventId;
      await client.workflowService.resetWorkflowExecution({
        ...{ namespace, workflowExecution: { workflowId: id, runId: run }, requestId: randomUUID(), reason: 'somebody' },
        resetReapplyType: proto.temporal.api.enums.v1.ResetReapplyType.RESET_REAPPLY_TYPE_NONE,
        ...(firstTask && { workflowTaskFinishEventId: firstTask }),
      });
    }
    await eventually('the word of it', async () =>
      (await stateOf({ workflowId: id })).timeline.some(({ kind }) => kind === 'incident.restarted'),
    );
    await stopWorkers();
    await startWorkers();
    await eventually('its records', () => Promise.resolve(made.every(isThere)));
    await eventually('their end', () => Promise.resolve(records.before(id, all).length === 0));
  },
);

test('nor is what only another replica of the cell has seen recorded', async () => {
  const theirs = new RecordMemory(memory.values('records-of-another'));
  const { watch: another } = cellKnowing(new OpenBook(memory.values('open-of-another')), theirs);
  const { id, run } = await begun('of-another');
  await eventually('its question', async () => asks(await stateOf({ workflowId: id })));
  const text = 'seen by another replica';
  const place = { chain: `${id}@${run}`, number: 900, at: new Date().toISOString() };
  theirs.made(run, { ...place, kind: 'step.applied', actor: 'engine', body: { text } });
  void another.follow({ client, gateway, signal: stopping.signal, everyMs: 500, othersMs: 0 });
  await client.workflow.getHandle(id).terminate('by a stranger');
  await eventually('its record', () => seen.records.some(({ chain, body }) => chain === place.chain && body.text === text));
});

test('so is one that is deleted', async () => {
  const { id, run } = await begun('deleted');
  await eventually('its question', async () => asks(await stateOf({ workflowId: id })));
  await client.workflowService.deleteWorkflowExecution({ namespace, workflowExecution: { workflowId: id, runId: run } });
  await begunAgain(id, run);
});

test('the run that the next alert starts learns what the previous run knew', async () => {
  const { id, run } = await begun('joined');
  await eventually('its question', async () => asks(await stateOf({ workflowId: id })));
  await client.workflow.getHandle(id).terminate('by a stranger');
  const batch = batchOf([alertOf({ cluster, n: 3, rule: 'Another rule' })]);
  const own = { ...subject, cluster, name: 'joined' };
  await gateway.start(id, { subject: own, batch }, options);
  const again = await begunAgain(id, run);
  expect(again.total).toBe(2);
});

test('one that has ended normally is not restarted, and cannot be reset', async () => {
  settings.lingerMs = 100;
  const { id, run } = await begun('over', 'low');
  settings.lingerMs = 600_000;
  expect(open.isOpen(id, run)).toBe(true);
  await eventually('its end', () => Promise.resolve(!kept.ids().includes(id)));
  expect(open.isOpen(id, run)).toBe(false);
  const { runId } = await client.workflow.getHandle(id).describe();
  expect(runId).toBe(run);
  expect(starts.mayRun(id, run)).toBe(false);
});

describe('somebody who asks which incidents are open', () => {
  const roster = '{ people: [{ id: ada, name: Ada }], groups: { oncall: [ada], leads: [ada] } }';
  const tokens = '[{ name: falco, token: { env: T } }]';
  const asking = (by: Client = client): Session => {
    const path = join(folder, 'firebreak.yaml');
    writeFileSync(path, `cluster: ${cluster}\nintake: { tokens: ${tokens} }\nroster: ${roster}\n`);
    return sessionOver(loadConfig({ path, env: {} }), by);
  };
  /** A Temporal that lists nothing. */
  const leavingOut = (): Client => {
    const workflow = Object.create(client.workflow, { list: { value: async function* none() {} } });
    return Object.create(client, { workflow: { value: workflow } });
  };

  /** Counts which incidents are asked for their state, or for more. */
  const counting = (described: string[], queried: string[] = []): Client => {
    const getHandle: Client['workflow']['getHandle'] = (id, run) => {
      const handle = client.workflow.getHandle(id, run);
      const describe = () => {
        described.push(id);
        return handle.describe();
      };
      const query = (type: string) => {
        queried.push(id);
        return handle.query(type);
      };
      return Object.create(handle, { describe: { value: describe }, query: { value: query } });
    };
    const workflow = Object.create(client.workflow, { getHandle: { value: getHandle } });
    return Object.create(client, { workflow: { value: workflow } });
  };

  test('learns it from the cell, even without search attributes in Temporal; and that nobody vouches for an invented one', async () => {
    const { id, run } = await begun('without-attributes');
    const invented = `incident/${cluster}/shop/Deployment/invented`;
    const stranger = await new Client({ connection, namespace }).workflow.start(incidentNames.workflow, {
      workflowId: invented,
      taskQueue: `${cluster}-nobody`,
      searchAttributes: { FirebreakCluster: [cluster], FirebreakSeverity: ['critical'], FirebreakNamespace: ['shop'] },
    });
    const described: string[] = [];
    const { rows, notes } = await eventually('both on the list', async () => {
      const listed = await rowsOf(asking(counting(described)), { limit: 50, severity: 'critical', namespace: 'shop' });
      return [id, invented].every((one) => listed.rows.some(({ incident }) => incident === one)) && listed;
    });
    expect(rows).toContainEqual(
      expect.objectContaining({
        incident: id,
        run,
        open: true,
        severity: 'critical',
        rules: [alertOf({}).rule],
        confirmed: true,
      }),
    );
    expect(rows.find(({ incident }) => incident === invented)).toMatchObject({ confirmed: false });
    // Incidents that nobody answers for come last; an incident of another test may be too busy to answer.
    const confirmed = rows.map((row) => Number(row.confirmed));
    expect(confirmed).toEqual(confirmed.toSorted((a, b) => b - a));
    // Temporal has already listed what a description of each would say.
    expect(described).toEqual([]);
    expect(notes).toEqual([expect.stringContaining('No cell has reported what is open'), expect.stringContaining('not signed')]);
    await stranger.terminate();
  });

  test('learns it even if Temporal omits an incident, or says that it is over', async () => {
    const { id } = await begun('left-out');
    const control = await client.workflow.start(controlNames.workflow, {
      workflowId: controlIdOf(cluster),
      taskQueue: queues.cell,
      args: [{ cluster, queues }],
    });
    const at = new Date().toISOString();
    const counts = { accepted: 0, duplicates: 0, refused: {}, hidden: {}, sensors: [], watched: [] };
    await control.signal(controlNames.intakeSignal, { source: 'here', at, since: at, ...counts, open: open.report() });
    const { rows, notes } = await eventually('it on the list', async () => {
      const listed = await rowsOf(asking(leavingOut()), { limit: 50, severity: 'critical' });
      return listed.notes.length === 0 && listed;
    });
    expect(rows).toContainEqual(expect.objectContaining({ incident: id, open: true, severity: 'critical', confirmed: true }));
    expect(notes).toEqual([]);
    expect(await openIncidentIds(asking(leavingOut()), 50)).toContain(id);

    // If it lists what the cell has reported, no incident is asked, and each would say the same.
    const [described, queried]: [string[], string[]] = [[], []];
    const shown = await rowsOf(asking(counting(described, queried)), { limit: 50 });
    expect([described, queried]).toEqual([[], [controlIdOf(cluster)]]);
    expect(shown.rows.map(({ incident }) => incident).sort()).toEqual([...kept.ids()].sort());
    for (const { incident, run, severity, rules, confirmed } of shown.rows) {
      const { counts, ...state } = await stateOf({ workflowId: incident });
      expect({ run, severity, rules, confirmed }).toEqual({
        ...{ run: state.incident.run, severity: state.severity, confirmed: true },
        rules: [...new Set(counts.map(({ rule }) => rule))],
      });
    }
    await control.terminate();
  });
});

test('one whose id somebody else has taken meanwhile is restarted: their run is not ours', async () => {
  const own = { ...subject, cluster, name: 'taken' };
  const id = incidentIdOf(own);
  const stranger = await new Client({ connection, namespace }).workflow.start(incidentNames.workflow, {
    workflowId: id,
    taskQueue: `${cluster}-nobody`,
  });
  // Another replica of this cell has started it, and it has ended since.
  open.hears(id, batchOf([alertOf({ cluster })]));
  open.told(id);
  const first = await eventually('its run', () => Promise.resolve(kept.get(id)?.first));
  expect(first).not.toBe(stranger.firstExecutionRunId);
  const { incident, timeline } = await begunAgain(id, stranger.firstExecutionRunId);
  expect(incident).toEqual({ id, run: first });
  expect(timeline).toContainEqual(expect.objectContaining({ kind: 'incident.restarted' }));
});

test('a rise in severity is written to no search attribute: somebody may have removed that, and the run would stop', async () => {
  const { id, run } = await begun('grown-worse', 'low', { FirebreakSeverity: 'low' });
  await gateway.signal(id, batchOf([alertOf({ cluster, n: 6, rule: 'Another rule' })]));
  await eventually('how bad it is now', async () => (await stateOf({ workflowId: id })).severity === 'critical');
  const { events } = await client.workflow.getHandle(id, run).fetchHistory();
  expect(events?.some(({ upsertWorkflowSearchAttributesEventAttributes: written }) => written)).toBe(false);
});

describe('one that somebody with access to Temporal holds up goes on, and the log says so', () => {
  const identity = 'somebody';
  const ways: readonly (readonly [string, string, (execution: { workflowId: string; runId: string }) => Promise<unknown>])[] = [
    [
      'paused',
      'paused',
      (execution) =>
        client.workflowService.pauseWorkflowExecution({ namespace, ...execution, identity, reason: '', requestId: randomUUID() }),
    ],
    [
      'given to a build that nobody has',
      'given to another build',
      async ({ workflowId }) => {
        const theirs = { deploymentName: `${cluster}-theirs`, buildId: 'e'.repeat(16) };
        const deploymentOptions = {
          ...theirs,
          workerVersioningMode: proto.temporal.api.enums.v1.WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED,
        };
        const polled = client
          .withDeadline(Date.now() + 10_000, () =>
            client.workflowService.pollWorkflowTaskQueue({
              namespace,
              taskQueue: { name: queues.cell },
              identity,
              deploymentOptions,
            }),
          )
          .catch(() => undefined);
        const { PinnedOverrideBehavior } = proto.temporal.api.workflow.v1.VersioningOverride;
        const pinned = { behavior: PinnedOverrideBehavior.PINNED_OVERRIDE_BEHAVIOR_PINNED, version: theirs };
        // Temporal knows the build once its worker has asked for work.
        await eventually('the move', () =>
          client.workflowService
            .updateWorkflowExecutionOptions({
              namespace,
              workflowExecution: { workflowId },
              workflowExecutionOptions: { versioningOverride: { pinned } },
              updateMask: { paths: ['versioning_override'] },
            })
            .catch(() => undefined),
        );
        await polled;
      },
    ],
    [
      'made to skip its time',
      'has its time skipped',
      ({ workflowId }) =>
        client.workflowService.updateWorkflowExecutionOptions({
          ...{ namespace, workflowExecution: { workflowId } },
          workflowExecutionOptions: { timeSkippingConfig: { enabled: true } },
          updateMask: { paths: ['time_skipping_config'] },
        }),
    ],
  ];

  test.each(ways)('%s', async (name, heldUp, holdUp) => {
    const said = jest.spyOn(log, 'error');
    const { id, run } = await begun(name.replaceAll(' ', '-'));
    await eventually('its question', async () => asks(await stateOf({ workflowId: id })));
    await holdUp({ workflowId: id, runId: run });
    await gateway.signal(id, batchOf([alertOf({ cluster, n: 7, rule: 'Another rule' })]));
    await eventually('what it is told since', async () => {
      const state = await stateOf({ workflowId: id }).catch(() => undefined);
      // An incident that is paused while one of its tasks waits can no longer be read, and is restarted. On a busy machine a task waits for long.
      return state?.total === 2 && (heldUp === 'paused' || state.incident.run === run);
    });
    // An incident whose time is skipped still hears what it is told.
    const told = await eventually('the word of it', () =>
      Promise.resolve(said.mock.calls.find(([fields]) => isDeepStrictEqual(fields, { incident: id, heldUp: [heldUp] }))),
    );
    expect(told[1]).toContain('reverted');
    said.mockRestore();
  });

  const pause = (execution: { workflowId: string; runId: string }) =>
    client.workflowService.pauseWorkflowExecution({ namespace, ...execution, identity, reason: '', requestId: randomUUID() });

  const told = (id: string, total: number) =>
    eventually('what it is told since', async () => {
      const state = await stateOf({ workflowId: id }).catch(() => undefined);
      return state !== undefined && state.total >= total;
    });

  test('reset and paused at once, when its intake does not know that run', async () => {
    const { id, run } = await begun('set-back-and-paused');
    await eventually('its question', async () => asks(await stateOf({ workflowId: id })));
    const { events } = await client.workflow.getHandle(id).fetchHistory();
    const firstTask = events?.find(({ workflowTaskCompletedEventAttributes: done }) => done)?.eventId;
    const { runId } = await client.workflowService.resetWorkflowExecution({
      ...{ namespace, workflowExecution: { workflowId: id, runId: run }, requestId: randomUUID(), reason: 'somebody' },
      ...(firstTask && { workflowTaskFinishEventId: firstTask }),
    });
    await pause({ workflowId: id, runId });
    // A run that is paused before one of its tasks was taken can no longer be read, and is restarted.
    await eventually('its question again', async () => {
      const isOver = (await client.workflow.getHandle(id).describe()).runId === run;
      const state = await stateOf({ workflowId: id }).catch(() => undefined);
      return !isOver && state !== undefined && asks(state);
    });
  });

  test('paused while one of its tasks waits', async () => {
    const { id, run } = await begun('paused-with-a-task');
    await eventually('its question', async () => asks(await stateOf({ workflowId: id })));
    await stopWorkers();
    await gateway.signal(id, batchOf([alertOf({ cluster, n: 9, rule: 'Another rule' })]));
    await pause({ workflowId: id, runId: run });
    await startWorkers();
    await told(id, 2);
  });

  test('paused at any moment, again and again', async () => {
    const { id, run } = await begun('paused-again-and-again');
    await eventually('its question', async () => asks(await stateOf({ workflowId: id })));
    for (let n = 0; n < 12; n += 1) {
      void gateway.signal(id, batchOf([alertOf({ cluster, n: 20 + n, rule: `Rule ${n}` })]));
      await sleep(n * 4);
      const was = (await client.workflow.getHandle(id).describe()).runId;
      await pause({ workflowId: id, runId: was });
      await told(id, n + 2);
    }
    expect(run).toBeDefined();
  });

  test('when Temporal refuses to reverse that, people are told so, and that it is stuck', async () => {
    const said = jest.spyOn(log, 'error');
    const { id, run } = await begun('not-taken-back');
    await eventually('its question', async () => asks(await stateOf({ workflowId: id })));
    // As if the build that it began with had been deleted in Temporal.
    incidents.delivered(id, run, 'f'.repeat(16));
    const isTold = (text: string) =>
      said.mock.calls.some(
        ([fields, message]) => isDeepStrictEqual({ ...Object(fields), incident: id }, fields) && message?.includes(text),
      );
    await eventually('the word of it', () => isTold('does not allow that to be reverted'));
    await stopWorkers();
    await gateway.signal(id, batchOf([alertOf({ cluster, n: 8, rule: 'Another rule' })]));
    await eventually('that it stands still', () => isTold('stands still'));
    expect(watch.standingStill()).toBeGreaterThan(0);
    incidents.delivered(id, run, build.id);
    await startWorkers();
    await told(id, 2);
    said.mockRestore();
  });

  test('with the calls of another process paused', async () => {
    const said = jest.spyOn(log, 'error');
    await stopWorkers();
    await startWorkers(['cell']);
    const { id, run } = await begun('calls-paused');
    const callsNow = async () => (await client.workflow.getHandle(id).describe()).raw.pendingActivities ?? [];
    await eventually('a call of the desk', async () =>
      (await callsNow()).some(({ activityType }) => activityType?.name === 'recordAudit'),
    );
    for (const { activityId } of await callsNow())
      await client.workflowService
        .pauseActivity({ namespace, execution: { workflowId: id, runId: run }, identity, id: activityId ?? '', reason: '' })
        .catch(() => undefined);
    await stopWorkers();
    await startWorkers();
    await eventually('its records', () => seen.records.some(({ chain }) => chain.startsWith(`${id}@`)));
    expect(said.mock.calls).toContainEqual([{ incident: id, heldUp: ['has paused calls'] }, expect.stringContaining('reverted')]);
    said.mockRestore();
  });
});

/** What somebody sends who takes tasks in the name of our build. */
const asOurBuild = () => ({
  deploymentName: deployment,
  buildId: build.id,
  workerVersioningMode: proto.temporal.api.enums.v1.WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED,
});

test('one of whose tasks somebody else has completed is reported, abandoned after a time, and restarted with all its alerts', async () => {
  const { id, run } = await begun('done-wrongly');
  await eventually('its question', async () => asks(await stateOf({ workflowId: id })));
  await stopWorkers();
  await client.workflow.getHandle(id).signal('anything', 0);
  const { CommandType, VersioningBehavior } = proto.temporal.api.enums.v1;
  const deploymentOptions = asOurBuild();
  const identity = 'somebody';
  const task = await eventually('its task', async () => {
    const found = await client.withDeadline(Date.now() + 10_000, () =>
      client.workflowService.pollWorkflowTaskQueue({ namespace, taskQueue: { name: queues.cell }, identity, deploymentOptions }),
    );
    return found.workflowExecution?.workflowId === id && found;
  });
  const timer = { timerId: 'theirs', startToFireTimeout: msToTs('1h') };
  await client.workflowService.respondWorkflowTaskCompleted({
    namespace,
    identity,
    deploymentOptions,
    taskToken: task.taskToken,
    versioningBehavior: VersioningBehavior.VERSIONING_BEHAVIOR_PINNED,
    commands: [{ commandType: CommandType.COMMAND_TYPE_START_TIMER, startTimerCommandAttributes: timer }],
  });
  await startWorkers();
  await gateway.signal(id, batchOf([alertOf({ cluster, n: 8, rule: 'Another rule' })]));
  await eventually('its standing still', () => Promise.resolve(watch.standingStill() > 0));
  const again = await begunAgain(id, run);
  expect(again.total).toBe(2);
  await eventually('its question again', async () => asks(await stateOf({ workflowId: id })));
  expect(seen.threads.some((text) => text.includes('did not end normally (its history could not be replayed)'))).toBe(true);
});

test('one whose calls nobody takes is reported, with the queue where they wait', async () => {
  const said = jest.spyOn(log, 'error');
  await stopWorkers();
  await startWorkers(['cell']);
  await begun('not-taken');
  const told = await eventually('the line', () =>
    Promise.resolve(said.mock.calls.find(([fields]) => Object(fields).queue === queues.desk)),
  );
  expect(told).toEqual([expect.objectContaining({ queue: queues.desk }), expect.stringContaining('no process takes them')]);
  expect(watch.standingStill()).toBeGreaterThan(0);
  said.mockRestore();
});

test('one whose calls somebody takes and never answers is reported, but not while the desk itself says why it fails', async () => {
  await stopWorkers();
  await startWorkers(['cell']);
  const said = jest.spyOn(log, 'error');
  const told = () =>
    said.mock.calls.find(([fields, text]) => Object(fields).queue === queues.desk && text?.includes('taken again and again'));
  const fails = async () => {
    throw new FirebreakError('FB_ERR_UNAVAILABLE', 'Slack is away, and says so at length: '.padEnd(500, '.'));
  };
  const activities = Object.fromEntries(
    activityTable.desk.map((name) => [name, fails]),
  ) as Partial<DeskActivities> as DeskActivities;
  const base = { connection, namespace, identity: 'desk', speaker: ofDesk };
  const failing = await createActivityWorker({ ...base, role: 'desk', taskQueue: queues.desk, activities, concurrency: 20 });
  const failed = failing.run();
  const { id } = await begun('kept');
  const calls = await eventually('its calls to be tried some times', async () => {
    const { raw } = await client.workflow.getHandle(id).describe();
    const tried = (raw.pendingActivities ?? []).filter(({ attempt }) => (attempt ?? 0) > 5);
    return tried.length > 0 && tried;
  });
  // Temporal truncates anything longer than 4 KB, and with it the signature.
  for (const { lastFailure } of calls) expect(lastFailure?.applicationFailureInfo?.type).toBe('FB_ERR_UNAVAILABLE');
  expect(told()).toBeUndefined();
  failing.shutdown();
  await failed;
  const line = await eventually('the line', async () => {
    const taking = client.workflowService.pollActivityTaskQueue({
      namespace,
      taskQueue: { name: queues.desk },
      identity: 'somebody',
    });
    await Promise.race([taking.catch(() => undefined), sleep(1_000)]);
    return told();
  });
  expect(line[0]).toMatchObject({ takenBy: 'somebody' });
  expect(watch.standingStill()).toBeGreaterThan(0);
  said.mockRestore();
  await stopWorkers();
  await startWorkers();
  await eventually('its question', async () => asks(await stateOf({ workflowId: id })));
});

test('one whose tasks nobody gets is reported, though Temporal says that it runs', async () => {
  const { id } = await begun('still');
  await eventually('its question', async () => asks(await stateOf({ workflowId: id })));
  const said = jest.spyOn(log, 'error');
  await stopWorkers();
  await gateway.signal(id, batchOf([alertOf({ cluster, n: 4, rule: 'Another rule' })]));
  const told = await eventually('the line', () =>
    Promise.resolve(
      said.mock.calls.find(
        ([fields, text]) => (fields as { readonly incident?: string }).incident === id && String(text).includes('stands still'),
      ),
    ),
  );
  expect(told[1]).toContain('and no cell takes it');
});

test('one whose tasks somebody keeps failing in the name of our build is reported, and goes on when they stop', async () => {
  await stopWorkers();
  await startWorkers();
  const { id } = await begun('failed-by-a-stranger');
  await eventually('its question', async () => asks(await stateOf({ workflowId: id })));
  await stopWorkers();
  const said = jest.spyOn(log, 'error');
  await gateway.signal(id, batchOf([alertOf({ cluster, n: 2, rule: 'Another rule' })]));
  const identity = 'somebody';
  const deploymentOptions = asOurBuild();
  // Temporal records only the first of them, and reports each as waiting since a moment ago.
  await eventually('the line', async () => {
    const { taskToken, workflowExecution } = await client.withDeadline(Date.now() + 10_000, () =>
      client.workflowService.pollWorkflowTaskQueue({ namespace, taskQueue: { name: queues.cell }, identity, deploymentOptions }),
    );
    if (workflowExecution?.workflowId === id)
      await client.workflowService.respondWorkflowTaskFailed({ namespace, identity, taskToken, deploymentOptions });
    return said.mock.calls.some(
      ([fields, text]) => isDeepStrictEqual({ ...Object(fields), incident: id }, fields) && text?.includes('stands still'),
    );
  });
  expect(watch.standingStill()).toBeGreaterThan(0);
  said.mockRestore();
  await startWorkers();
  await eventually('what it was told meanwhile', async () => {
    const state = await stateOf({ workflowId: id }).catch(() => undefined);
    return state?.total === 2;
  });
});
