import { hostname } from 'node:os';
import { Client } from '@temporalio/client';
import { DefaultLogger, type LogEntry, NativeConnection, Runtime, type Worker } from '@temporalio/worker';
import type { Config, Environment } from '../config/load.ts';
import { type Role, resolveSecrets } from '../config/secrets.ts';
import type { WorkflowBuild } from '../temporal/bundle.ts';
import { dataConverter } from '../temporal/codec.ts';
import { createActivityWorker, queuesOf, type WorkerBase } from '../temporal/workers.ts';
import { startCell } from './cell.ts';
import { createClusterActivities, openCluster } from './cluster.ts';
import { startDesk } from './desk.ts';
import { ensureKeys } from './keys.ts';
import type { Logger } from './log.ts';

export interface RunOptions {
  readonly config: Config;
  readonly env: Environment;
  readonly roles: readonly Role[];
  readonly build: WorkflowBuild;
  readonly log: Logger;
}

export interface RunningFirebreak {
  readonly intakeUrl?: string;
  readonly deskUrl?: string;
  /** Resolves when a worker ends by itself, which is a fault. */
  readonly failed: Promise<Error>;
  stop(): Promise<void>;
}

const maxCachedWorkflows = 200;

/** Starts the roles of this process. One connection is shared by client and workers: only so is a start eager. */
export async function startFirebreak(options: RunOptions): Promise<RunningFirebreak> {
  const { config, env, roles, build, log } = options;
  const has = (role: Role): boolean => roles.includes(role);
  await ensureKeys({ config, roles });
  const secrets = resolveSecrets({ config, env, roles });
  installRuntime(log);

  const { address, namespace } = config.temporal;
  const connection = await NativeConnection.connect({ address });
  const converter = dataConverter({ keys: secrets.codecKeys, namespace });
  const identity = `firebreak@${hostname()}/${process.pid}`;
  const base: WorkerBase = { connection, namespace, dataConverter: converter, identity };
  const client = new Client({ connection, namespace, dataConverter: converter, identity });
  const queues = queuesOf(config.cluster);

  const stops: (() => Promise<void>)[] = [() => connection.close()];
  const running: { readonly worker: Worker; readonly run: Promise<void> }[] = [];
  const faults: ((error: Error) => void)[] = [];
  const failed = new Promise<Error>((resolve) => faults.push(resolve));
  const runWorker = (worker: Worker): void => {
    const run = worker.run();
    run.catch((error: unknown) => faults[0]?.(error instanceof Error ? error : new Error('a worker has ended')));
    running.push({ worker, run });
  };

  // The desk first: what an incident wants to say is heard from its first moment on.
  const desk = has('desk') ? await startDesk({ config, secrets, base, client, taskQueue: queues.desk, log }) : undefined;
  if (desk) {
    stops.push(desk.stop);
    runWorker(desk.worker);
    log.info({ url: desk.url }, 'the desk is open');
  }
  const needsCluster = has('cell') || has('secrets') || has('forensics');
  const cluster = needsCluster ? await openCluster({ config, env, log }) : undefined;
  if (cluster) stops.push(cluster.stop);
  if (cluster && has('secrets')) {
    const activities = await createClusterActivities({ config, secrets, cluster, pool: 'secrets', log });
    runWorker(await createActivityWorker({ ...base, taskQueue: queues.secrets, role: 'secrets', activities, concurrency: 10 }));
  }
  const cell =
    cluster && has('cell')
      ? await startCell({ config, secrets, base, client, cluster, queues, build, maxCachedWorkflows, runWorker, log })
      : undefined;
  if (cell) log.info({ url: cell.url, build: build.id }, 'the intake is open');

  return {
    ...(cell ? { intakeUrl: cell.url } : {}),
    ...(desk ? { deskUrl: desk.url } : {}),
    failed,
    stop: async () => {
      // The intake closes first and hands over what it took; then the workers finish what they began.
      await cell?.stop();
      for (const { worker } of running) if (worker.getState() === 'RUNNING') worker.shutdown();
      await Promise.allSettled(running.map(({ run }) => run));
      for (const stop of stops.reverse()) await stop();
    },
  };
}

let installed = false;

/** One runtime a process; its lines join ours. What is only about polling is not worth a line. */
function installRuntime(log: Logger): void {
  if (installed) return;
  installed = true;
  Runtime.install({
    logger: new DefaultLogger('WARN', ({ level, message, meta }: LogEntry) => {
      const fields = { source: 'temporal', ...(typeof meta?.workflowId === 'string' ? { incident: meta.workflowId } : {}) };
      if (level === 'ERROR') log.error(fields, message);
      else log.warn(fields, message);
    }),
    telemetryOptions: { logging: { forward: {}, filter: 'ERROR' } },
    shutdownSignals: [],
  });
}
