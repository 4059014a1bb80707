import { AsyncLocalStorage } from 'node:async_hooks';
import { type NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { ThreadedVMWorkflowCreator } from '@temporalio/worker/lib/workflow/threaded-vm.js';
import type { CellActivities, DeskActivities } from '../../core/action/step.ts';
import { FirebreakError } from '../../core/errors.ts';
import { activityTable } from '../../core/messages/message-table.ts';
import type { SigningRole } from '../../core/messages/sender.ts';
import type { WorkflowBuild } from './bundle/bundle.ts';
import { RunnerCreator } from './runner/runner-creator.ts';
import type { Speaker } from './speaker.ts';

export interface WorkerBase {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly speaker: Speaker;
  readonly identity: string;
}

/** A task queue for each pool: one per cluster for the cell, one shared by all for the desk. */
export function queuesOf(cluster: string, prefix = 'firebreak') {
  return {
    cell: `${prefix}-cell-${cluster}`,
    secrets: `${prefix}-secrets-${cluster}`,
    forensics: `${prefix}-forensics-${cluster}`,
    packs: `${prefix}-packs-${cluster}`,
    desk: `${prefix}-desk`,
  } as const;
}

/** An activity missing from the table of messages has not been thought through. */
function inTable<Activities extends object>(role: SigningRole, activities: Activities): Activities {
  const unknown = Object.keys(activities).filter((name) => !activityTable[role].includes(name));
  if (unknown.length === 0) return { ...activities };
  throw new FirebreakError(
    'FB_ERR_INTERNAL',
    `core/messages/message-table.ts does not know these activities: ${unknown.join(', ')}`,
  );
}

const creatorsOfWorker = new AsyncLocalStorage<RunnerCreator[]>();

// The SDK has no option for where it runs workflows.
ThreadedVMWorkflowCreator.create = async ({ workflowBundle, isolateExecutionTimeoutMs, registeredActivityNames, logger }) => {
  const creator = await RunnerCreator.started({ workflowBundle, isolateExecutionTimeoutMs, registeredActivityNames }, logger);
  creatorsOfWorker.getStore()?.push(creator);
  return creator;
};

/** As the SDK does, which leaves the runner behind, and with it this process, if the server does not answer once the runner has started. */
export async function createWorker(options: WorkerOptions): Promise<Worker> {
  const creators: RunnerCreator[] = [];
  try {
    return await creatorsOfWorker.run(creators, () => Worker.create(options));
  } catch (error) {
    for (const creator of creators) await creator.destroy();
    throw error;
  }
}

/**
 * Workflows run in their own thread, also in replays: the SDK's replay worker would use the caller's, where others that read stacks (a test runner, source
 * maps) change what the workflow sees of its own promises.
 */
export const workflowThread = { workflowThreadPoolSize: 1, debugMode: false } as const;

/** A task in progress has ten seconds, and one whose history must be read again takes a tenth of one or more: the rest waits in the server's queue. */
const mostTasks = 16;
/** A started incident keeps the cell busy with one task or another until it asks or rests. With more at once, each takes as long as all of them (`bench/scale.ts` with `BENCH_BURST=500`). */
const manyTasks = 12;
const manyCalls = 24;

/** Memory available for workflows: a quarter of the process's memory is kept for peaks, and this much is used by everything else. */
const restMb = 450;
const eachMb = 1.35;
/** If more are active than are held, every task reads its history again (`bench/scale.ts`). */
const mostCached = 220;
/** For a build that runs next to the first one, such as an older one that finishes its incidents. */
const mostCachedBeside = 120;
const fewestCached = 60;

/**
 * How many workflows a cell keeps in memory. For one that is not kept, the next task replays its history, a tenth of a second of CPU or more: if more workflows
 * are active at once than are kept, every task pays this, and almost nothing gets done.
 * @param bytes of memory that the process may use
 */
export function cachedWorkflows(bytes: number, place: 'first' | 'beside'): number {
  const room = Math.floor((0.75 * bytes - restMb * 1e6) / (eachMb * 1e6));
  return Math.max(fewestCached, Math.min(place === 'beside' ? mostCachedBeside : mostCached, room));
}

/** Whether a cell's worker is fully occupied with incidents that have started. */
export function hasHandsFull(worker: Worker): boolean {
  if (worker.getState() !== 'RUNNING') return false;
  const { numInFlightActivities: calls, numInFlightWorkflowActivations: tasks } = worker.getStatus();
  return calls >= manyCalls || tasks >= manyTasks;
}

/**
 * The cell's worker: incidents, and the activities with the cluster's permissions. Pinned to its build; one more runs per older build that still has open
 * incidents.
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
  return createWorker({
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

/** A worker without workflows: the desk, or a pool with its own permissions. */
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
