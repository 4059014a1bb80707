import type { NativeConnection } from '@temporalio/worker';
import { activityTable } from '../../core/messages/message-table.ts';
import type { SigningRole } from '../../core/messages/sender.ts';
import type { ScheduleActivities } from '../../core/playbook/scheduled-runs.ts';
import type { WorkflowBuild } from '../../service/temporal/bundle/bundle.ts';
import { deploymentName } from '../../service/temporal/versions.ts';
import { createActivityWorker, createCellWorker, queuesOf } from '../../service/temporal/workers.ts';
import { roster } from './people.ts';
import { type Seen, scriptedActivities } from './scripted.ts';
import type { testSpeaker } from './speakers.ts';

type Speaker = ReturnType<typeof testSpeaker>;

/** Starts a cell and a desk of a cluster on a real Temporal with scripted activities; they run until stopped. */
export async function startScriptedWorkers(options: {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly cluster: string;
  readonly build: WorkflowBuild;
  readonly speakers: { readonly cell: Speaker; readonly desk: Speaker };
  readonly seen: Seen;
  /** Absent: both. */
  readonly only?: readonly SigningRole[];
  /** What the cell does when a schedule fires. */
  readonly schedules?: ScheduleActivities;
}): Promise<{ stop(): Promise<void> }> {
  const { connection, namespace, cluster, build, speakers, seen, schedules, only = ['cell', 'desk'] } = options;
  const queues = queuesOf(cluster, cluster);
  const scripted = scriptedActivities(
    seen,
    {},
    async () => Date.now(),
    () => roster,
  );
  const of = (role: SigningRole) =>
    Object.fromEntries(Object.entries(scripted).filter(([name]) => activityTable[role].includes(name))) as typeof scripted;
  const base = { connection, namespace, identity: 'test' };
  const cell = () =>
    createCellWorker({
      ...base,
      speaker: speakers.cell,
      taskQueue: queues.cell,
      build,
      deployment: deploymentName(cluster),
      activities: { ...of('cell'), ...schedules },
      maxCachedWorkflows: 50,
    });
  const desk = () =>
    createActivityWorker({
      ...base,
      speaker: speakers.desk,
      role: 'desk',
      taskQueue: queues.desk,
      activities: of('desk'),
      concurrency: 20,
    });
  const making = [...(only.includes('cell') ? [cell()] : []), ...(only.includes('desk') ? [desk()] : [])];
  const workers = (await Promise.all(making)).map((worker) => ({ worker, run: worker.run() }));
  return {
    stop: async () => {
      for (const { worker } of workers) worker.shutdown();
      await Promise.all(workers.map(({ run }) => run));
    },
  };
}
