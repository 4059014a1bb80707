import { extname, join } from 'node:path';
import { Worker as Thread } from 'node:worker_threads';
import { type NativeConnection, Worker } from '@temporalio/worker';
import { ThreadedVMWorkflowCreator, WorkerThreadClient } from '@temporalio/worker/lib/workflow/threaded-vm.js';
import type { CellActivities, DeskActivities } from '../../core/action/step.ts';
import { FirebreakError } from '../../core/errors.ts';
import { activityTable } from '../../core/messages/message-table.ts';
import type { SigningRole } from '../../core/messages/sender.ts';
import { boundPatterns } from '../packs/turns/linear-patterns.ts';
import type { WorkflowBuild } from './bundle/bundle.ts';
import type { Speaker } from './speaker.ts';

export interface WorkerBase {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly speaker: Speaker;
  readonly identity: string;
}

/** A task queue for each pool: the cell's by cluster, one desk for all. */
export function queuesOf(cluster: string, prefix = 'firebreak') {
  return {
    cell: `${prefix}-cell-${cluster}`,
    secrets: `${prefix}-secrets-${cluster}`,
    forensics: `${prefix}-forensics-${cluster}`,
    packs: `${prefix}-packs-${cluster}`,
    desk: `${prefix}-desk`,
  } as const;
}

/** What the table of messages does not know nobody has thought about. */
function inTable<Activities extends object>(role: SigningRole, activities: Activities): Activities {
  const unknown = Object.keys(activities).filter((name) => !activityTable[role].includes(name));
  if (unknown.length === 0) return { ...activities };
  throw new FirebreakError(
    'FB_ERR_INTERNAL',
    `core/messages/message-table.ts does not know these activities: ${unknown.join(', ')}`,
  );
}

// The SDK knows no option for its thread's program.
ThreadedVMWorkflowCreator.create = async ({ threadPoolSize, logger, patchActivationCallback, ...parts }) => {
  const file = join(import.meta.dirname, `workflow-thread${extname(import.meta.filename)}`);
  const threads = Array.from(
    { length: threadPoolSize },
    () => new WorkerThreadClient(new Thread(file), logger, patchActivationCallback),
  );
  const hasPatchActivationCallback = patchActivationCallback !== undefined;
  await Promise.all(threads.map((thread) => thread.send({ type: 'init', ...parts, hasPatchActivationCallback })));
  return new ThreadedVMWorkflowCreator(threads);
};

/**
 * Workflows run in a thread of their own, in replays too: the SDK's replay worker would take the caller's, where whoever else reads stacks (a test
 * runner, source maps) changes what the workflow sees of its own promises.
 */
export const workflowThread = { workflowThreadPoolSize: 1, debugMode: false } as const;

/** What is in hand has ten seconds, and what has to be read again for its task takes a tenth of one or more: the rest waits in the server's queue. */
const mostTasks = 16;
/** An incident that has begun keeps the cell at one of them or another until it asks or rests. More of them at once, and each takes as long as all. */
const manyTasks = 12;
const manyCalls = 24;

/** Of the memory of a process, what is there for workflows: a quarter is left for peaks, and so much all else takes. */
const restMb = 450;
const eachMb = 1.35;
const mostCached = 220;
/** Of a build that runs beside the first one, such as an older one that finishes what has begun with it. */
const mostCachedBeside = 120;
const fewestCached = 60;

/**
 * How many workflows a cell holds in memory. One that is not held is read again from its history for its next task, a tenth of a second of a processor or more: where
 * more are at work at once than are held, that is so for each task of each, and next to nothing is done.
 * @param bytes of memory that the process may use
 */
export function cachedWorkflows(bytes: number, place: 'first' | 'beside'): number {
  const room = Math.floor((0.75 * bytes - restMb * 1e6) / (eachMb * 1e6));
  return Math.max(fewestCached, Math.min(place === 'beside' ? mostCachedBeside : mostCached, room));
}

/** Whether a cell's worker has its hands full with what has begun. */
export function hasHandsFull(worker: Worker): boolean {
  if (worker.getState() !== 'RUNNING') return false;
  const { numInFlightActivities: calls, numInFlightWorkflowActivations: tasks } = worker.getStatus();
  return calls >= manyCalls || tasks >= manyTasks;
}

/**
 * The cell's worker: incidents, and the activities with the cluster's rights. Pinned to its build; one more runs per older build that
 * still has open incidents.
 */
export function createCellWorker(
  options: WorkerBase & {
    readonly taskQueue: string;
    readonly build: WorkflowBuild;
    readonly deployment: string;
    readonly activities: CellActivities;
    /** Workflows kept in memory. A smaller number costs a replay for each that is not kept. */
    readonly maxCachedWorkflows: number;
  },
): Promise<Worker> {
  const { connection, namespace, speaker, identity, taskQueue, build, deployment, activities, maxCachedWorkflows } = options;
  boundPatterns();
  return Worker.create({
    connection,
    namespace,
    ...speaker.workflows,
    interceptors: { activity: [speaker.activities] },
    identity: `${identity}/cell/${build.id}`,
    taskQueue,
    workflowBundle: { codePath: build.path },
    activities: inTable('cell', activities),
    workerDeploymentOptions: {
      version: { deploymentName: deployment, buildId: build.id },
      useWorkerVersioning: true,
      defaultVersioningBehavior: 'PINNED',
    },
    maxCachedWorkflows,
    ...workflowThread,
    maxConcurrentWorkflowTaskExecutions: mostTasks,
    shutdownGraceTime: '5s',
    shutdownForceTime: '10s',
  });
}

/** A worker without workflows: the desk, or a pool with rights of its own. */
export function createActivityWorker(
  options: WorkerBase & {
    readonly taskQueue: string;
    readonly role: SigningRole;
    readonly activities: CellActivities | DeskActivities;
    readonly concurrency: number;
  },
): Promise<Worker> {
  const { connection, namespace, speaker, identity, taskQueue, role, activities, concurrency } = options;
  return Worker.create({
    connection,
    namespace,
    dataConverter: speaker.dataConverter,
    interceptors: { activity: [speaker.activities] },
    identity: `${identity}/${role}`,
    taskQueue,
    activities: inTable(role, activities),
    maxConcurrentActivityTaskExecutions: concurrency,
    shutdownGraceTime: '5s',
    shutdownForceTime: '10s',
  });
}
