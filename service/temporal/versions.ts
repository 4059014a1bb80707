import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { FirebreakError } from '../../core/errors.ts';
import { grpc, grpcCode } from './grpc-status.ts';

export function deploymentName(cluster: string): string {
  return `firebreak-${cluster}`;
}

/** What a process calls itself at Temporal. */
export function identityOf({
  version,
  host,
  pid,
}: {
  readonly version: string;
  readonly host: string;
  readonly pid: number;
}): string {
  return `firebreak-${version}@${host}/${pid}`;
}

/** The same read back: a word of who polls, which nobody has signed. */
export function fromIdentity(said: string): { readonly version: string; readonly process: string } {
  const [, version = 'unknown', process = said] = /^firebreak-([\w.+-]+)@(.+)$/.exec(said) ?? [];
  return { version, process };
}

/**
 * Makes this build the one that new incidents begin with. It must be so before the intake opens: without a current version a plain
 * start would wait for ever.
 * @throws FB_ERR_UNAVAILABLE when the server does not know the build's worker within `withinMs`.
 */
export async function makeCurrent(options: {
  readonly client: {
    readonly options: { readonly namespace: string };
    readonly workflowService: {
      setWorkerDeploymentCurrentVersion(request: {
        readonly namespace: string;
        readonly deploymentName: string;
        readonly buildId: string;
        readonly identity: string;
        readonly ignoreMissingTaskQueues: boolean;
      }): Promise<unknown>;
    };
  };
  readonly deployment: string;
  readonly buildId: string;
  readonly withinMs: number;
  readonly signal?: AbortSignal;
}): Promise<void> {
  const { client, deployment, buildId, signal } = options;
  const until = Date.now() + options.withinMs;
  for (;;) {
    try {
      await client.workflowService.setWorkerDeploymentCurrentVersion({
        namespace: client.options.namespace,
        deploymentName: deployment,
        buildId,
        identity: 'firebreak',
        // Another cell of this cluster may still poll queues that this build does not: it keeps its own incidents.
        ignoreMissingTaskQueues: true,
      });
      return;
    } catch (error) {
      if (signal?.aborted || Date.now() >= until) throw new FirebreakError('FB_ERR_UNAVAILABLE', notCurrent(buildId, error));
      await sleep(50);
    }
  }
}

/** The version exists only once its worker has polled. That Temporal's own parts are away is another thing, which nobody would look for then. */
function notCurrent(buildId: string, error: unknown): string {
  const code = grpcCode(error);
  if (code === grpc.notFound || code === grpc.failedPrecondition) return `Temporal does not know the worker build ${buildId} yet`;
  return `Temporal cannot make the worker build ${buildId} the current one: ${code === undefined ? 'no answer' : `gRPC status ${code}`}`;
}

/** The build that new incidents begin with. */
export async function currentBuild(options: {
  readonly client: Client;
  readonly deployment: string;
}): Promise<string | undefined> {
  const { client, deployment } = options;
  const { workerDeploymentInfo } = await client.workflowService.describeWorkerDeployment({
    namespace: client.options.namespace,
    deploymentName: deployment,
  });
  return workerDeploymentInfo?.routingConfig?.currentDeploymentVersion?.buildId ?? undefined;
}

/** Open incidents and control workflows, by the build that they are pinned to. */
export async function pinnedTo(options: {
  readonly client: Client;
  readonly deployment: string;
}): Promise<ReadonlyMap<string, number>> {
  const { client, deployment } = options;
  const counts = new Map<string, number>();
  const query = `WorkflowType IN ('incident', 'control') AND ExecutionStatus = 'Running' AND TemporalWorkerDeployment = '${deployment}'`;
  for await (const execution of client.workflow.list({ query })) {
    const build = buildOf(execution);
    if (build !== undefined) counts.set(build, (counts.get(build) ?? 0) + 1);
  }
  return counts;
}

function buildOf({ raw }: Pick<WorkflowExecutionInfo, 'raw'>): string | undefined {
  const version = raw.searchAttributes?.indexedFields?.TemporalWorkerDeploymentVersion;
  const text = version?.data ? Buffer.from(version.data).toString('utf8') : '';
  return /:([0-9a-f]{16})"?$/.exec(text)?.[1];
}

/** Builds whose incidents are still open, this one not counted. Each needs a worker of its own until they end. */
export async function openBuilds(options: {
  readonly client: Client;
  readonly deployment: string;
  readonly except: string;
}): Promise<readonly string[]> {
  const { client, deployment, except } = options;
  const builds = new Set<string>();
  const query = `WorkflowType IN ('incident', 'control') AND ExecutionStatus = 'Running' AND TemporalWorkerDeployment = '${deployment}' AND TemporalWorkerDeploymentVersion != '${deployment}:${except}'`;
  for await (const execution of client.workflow.list({ query })) {
    const build = buildOf(execution);
    if (build !== undefined && build !== except) builds.add(build);
  }
  return [...builds];
}
