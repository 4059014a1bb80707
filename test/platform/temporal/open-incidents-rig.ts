import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, type WorkflowHandle } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { IncidentMemory } from '../../../activities/memory/incident-memory.ts';
import { RecordMemory } from '../../../activities/memory/record-memory.ts';
import { StartMemory } from '../../../activities/memory/start-memory.ts';
import type { HaltedRunReport } from '../../../core/decide/control.ts';
import { incidentIdOf, incidentNames } from '../../../core/incident/incident.ts';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import type { SigningRole } from '../../../core/messages/sender.ts';
import { createBox } from '../../../integrations/crypto-box/box.ts';
import { OpenBook } from '../../../service/cell/open/open-book.ts';
import { OpenIncidents, remembering } from '../../../service/cell/open/open-incidents.ts';
import { RunWatch } from '../../../service/cell/open/run-watch.ts';
import { DurableMemory } from '../../../service/cell/pools/durable-memory.ts';
import type { IncidentGateway, StartOptions } from '../../../service/intake/send/incident-gateway.ts';
import { temporalGateway } from '../../../service/intake/send/temporal-gateway.ts';
import { createLog } from '../../../service/process/log.ts';
import { readBuild } from '../../../service/temporal/bundle/bundle.ts';
import { HaltedRuns } from '../../../service/temporal/runner/halted-runs.ts';
import { deploymentName, makeCurrent } from '../../../service/temporal/versions.ts';
import { queuesOf } from '../../../service/temporal/workers.ts';
import { eventually } from '../../eventually.ts';
import { testPlatform } from '../../platform.ts';
import { bundlePath } from '../../workflows/bundle.ts';
import { alertOf, batchOf, subject } from '../../workflows/people.ts';
import type { Seen } from '../../workflows/scripted.ts';
import { startScriptedWorkers } from '../../workflows/scripted-workers.ts';
import { clientOptions, member, testCodecKeys, testSpeaker } from '../../workflows/speakers.ts';

/**
 * A cell that looks after its open incidents on a real Temporal, as `RunWatch` does, with scripted workers. For the tests of one file: the next file has its own.
 */
export async function startOpenIncidents() {
  const { temporalAddress, temporalNamespace: namespace, prefix: cluster } = await testPlatform();
  const queues = queuesOf(cluster, cluster);
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-open-incidents-'));
  const log = createLog({ log: { level: 'fatal', format: 'json' } });
  const starts = new StartMemory();
  const memory = new DurableMemory(folder, log);
  const records = new RecordMemory(memory.values('unsent-records'));
  const speaker = testSpeaker(cluster, { namespace, starts, records });
  const ofDesk = testSpeaker(cluster, { namespace, starts, signer: member('desk').signer });
  const stopping = new AbortController();
  const seen: Seen = { applied: [], undone: [], undoReasons: [], cards: [], threads: [], answers: [], records: [] };
  let workers: Awaited<ReturnType<typeof startScriptedWorkers>> | undefined;
  const connection = await NativeConnection.connect({ address: temporalAddress });
  const client = new Client({ connection, namespace, ...clientOptions(speaker) });
  const build = readBuild(await bundlePath());
  const deployment = deploymentName(cluster);
  const incidents = new IncidentMemory();

  /** Settings of an incident that begins now. */
  const settings = { lingerMs: 600_000 };

  const setAside = new HaltedRuns();
  /** Reports of runs that are set aside, as the control workflow would get them; the first of them does not arrive. */
  const setAsideTold: HaltedRunReport[] = [];
  let isTold = false;

  async function startWorkers(only: readonly SigningRole[] = ['cell', 'desk']): Promise<void> {
    const speakers = { cell: speaker, desk: ofDesk };
    workers = await startScriptedWorkers({ connection, namespace, cluster, build, speakers, seen, only });
  }

  async function stopWorkers(): Promise<void> {
    await workers?.stop();
    workers = undefined;
  }

  /** What a cell, or a replica of it, knows to be open, and how it looks after those incidents. */
  function cellKnowing(of: OpenBook, recordsOf: RecordMemory): { open: OpenIncidents; watch: RunWatch } {
    const open = new OpenIncidents({ kept: of, box: createBox({ keys: testCodecKeys }), asDecided: (alert) => alert, log });
    const watch = new RunWatch({
      kept: of,
      open,
      starts,
      records: recordsOf,
      // As the intake does: the note is on disk at once, and is sent when the incident accepts it. A look does not wait for any.
      note: async (incident, note) => {
        const isTaken = async () => (await gateway.note(incident, note)).kind === 'signalled';
        void eventually('the note to be taken', isTaken).catch(() => undefined);
      },
      begunWith: (incident) => {
        const buildId = incidents.buildOf(incident);
        return buildId === undefined ? undefined : { deploymentName: deployment, buildId };
      },
      setAside,
      playbooksOf: () => ['firebreak/contain-dropped-binary'],
      containedBy: () => ['shop/cart-1'],
      tellHalted: async (report) => {
        if (isTold) setAsideTold.push(report);
        isTold = !isTold;
        return !isTold;
      },
      log,
    });
    return { open, watch };
  }

  await startWorkers();
  await makeCurrent({ client, deployment, buildId: build.id, withinMs: 120_000 });
  const kept = new OpenBook(memory.values('open'));
  const { open, watch } = cellKnowing(kept, records);
  const gateway: IncidentGateway = remembering(
    temporalGateway({
      client,
      taskQueue: queues.cell,
      begins: (_, start) => ({
        build: build.id,
        pinnedTo: { deploymentName: deployment, buildId: build.id },
        input: {
          start,
          settings: {
            queues,
            playbooks: ['firebreak/contain-dropped-binary'],
            levels: [{ group: 'oncall', withinMs: 900_000 }],
            evidenceDeadlineMs: 60_000,
            lingerMs: settings.lingerMs,
            maxBodies: 4,
          },
        },
      }),
      mayRun: (id, first, run) => starts.mayRunOn(id, first, run),
      log,
    }),
    { incidents, open, playbooksOf: () => [] },
  );
  void watch.follow({ client, gateway, signal: stopping.signal, everyMs: 500, stillMs: 3_000, unreadableMs: 6_000 });

  const stop = async (): Promise<void> => {
    stopping.abort();
    for (const id of kept.ids())
      await client.workflow
        .getHandle(id)
        .terminate()
        .catch(() => undefined);
    await stopWorkers();
    await memory.close();
    await connection.close();
    rmSync(folder, { recursive: true, force: true });
  };

  const options = { eager: false, priority: 1, searchAttributes: {} } as const;

  async function begun(
    name: string,
    severity: 'critical' | 'low' = 'critical',
    searchAttributes: StartOptions['searchAttributes'] = {},
  ): Promise<{ id: string; run: string }> {
    const own = { ...subject, cluster, name };
    const id = incidentIdOf(own);
    const batch = batchOf([alertOf({ cluster, severity })]);
    const result = await gateway.start(id, { subject: own, batch }, { ...options, searchAttributes });
    if (result.kind !== 'started') throw new Error(`not started: ${result.kind}`);
    return { id, run: result.run };
  }

  const stateOf = ({ workflowId }: Pick<WorkflowHandle, 'workflowId'>) =>
    client.workflow.getHandle(workflowId).query<IncidentState>(incidentNames.stateQuery);

  /** Waits for the state of a run other than `run`, once it reports that it was restarted. */
  function begunAgain(id: string, run: string): Promise<IncidentState> {
    return eventually('the incident to be begun again', async () => {
      const state = await stateOf({ workflowId: id }).catch(() => undefined);
      return state?.incident.run !== run && state?.timeline.some(({ kind }) => kind === 'incident.restarted') && state;
    });
  }

  const asks = ({ questions }: IncidentState): boolean => questions.some(({ status }) => status.state === 'open');

  return {
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
    startWorkers,
    starts,
    stateOf,
    stop,
    stopping,
    stopWorkers,
    watch,
  };
}
