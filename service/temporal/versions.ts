import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { z } from 'zod';
import { FirebreakError } from '../../core/errors.ts';
import { grpc, grpcCode } from './grpc-status.ts';

export function deploymentName(cluster: string): string {
  return `firebreak-${cluster}`;
}

/** The identity under which a process polls Temporal. */
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

/** Parses that identity, also with what a worker adds to it (`/cell/BUILD`): a claim of the polling process that nobody has signed. */
export function fromIdentity(said: string): { readonly version: string; readonly process: string } {
  const [, version = 'unknown', process = said] = /^firebreak-([\w.+-]+)@([^/]+\/\d+)(?:\/.*)?$/.exec(said) ?? [];
  return { version, process };
}

interface ManagedDeployment {
  readonly namespace: string;
  readonly deploymentName: string;
  readonly identity: string;
}

/** The part of a Temporal client that is needed here. */
interface DeploymentsClient {
  readonly options: { readonly namespace: string };
  readonly workflowService: {
    setWorkerDeploymentCurrentVersion(
      request: ManagedDeployment & { readonly buildId: string; readonly ignoreMissingTaskQueues: boolean },
    ): Promise<unknown>;
    setWorkerDeploymentManager(
      request: ManagedDeployment & { readonly managerIdentity: string },
    ): Promise<{ readonly previousManagerIdentity?: string | null }>;
    describeWorkerDeployment(request: Pick<ManagedDeployment, 'namespace' | 'deploymentName'>): Promise<{
      readonly workerDeploymentInfo?: {
        readonly versionSummaries?:
          | readonly { readonly deploymentVersion?: { readonly buildId?: string | null } | null }[]
          | null;
      } | null;
    }>;
    listWorkerDeployments(request: {
      readonly namespace: string;
      readonly pageSize: number;
    }): Promise<{ readonly workerDeployments?: readonly unknown[] | null }>;
  };
}

/** Temporal's default limit for builds per deployment, and for deployments per namespace. */
const mostKnown = 100;

/**
 * Makes this build the current one: runs started without an explicit build, such as the control workflow, use it.
 * @returns whether someone else had made themselves the manager of our builds, which would keep anyone else from setting this
 * @throws FB_ERR_UNAVAILABLE if the server does not know the build's worker within `withinMs`.
 */
export async function makeCurrent(options: {
  readonly client: DeploymentsClient;
  readonly deployment: string;
  readonly buildId: string;
  readonly withinMs: number;
  readonly signal?: AbortSignal;
}): Promise<boolean> {
  const { client, deployment, buildId, signal } = options;
  const until = Date.now() + options.withinMs;
  for (let wasManaged = false; ; ) {
    try {
      await client.workflowService.setWorkerDeploymentCurrentVersion({
        namespace: client.options.namespace,
        deploymentName: deployment,
        buildId,
        identity: 'firebreak',
        // Another cell of this cluster may still poll queues that this build does not: it keeps its own incidents.
        ignoreMissingTaskQueues: true,
      });
      return wasManaged;
    } catch (error) {
      if (grpcCode(error) === grpc.failedPrecondition)
        wasManaged = (await endManager({ client, deployment }).catch(() => false)) || wasManaged;
      if (signal?.aborted || Date.now() >= until)
        throw new FirebreakError('FB_ERR_UNAVAILABLE', await notCurrent({ client, deployment, buildId, error }));
      await sleep(50);
    }
  }
}

/**
 * Firebreak never manages a deployment: anyone who can reach Temporal can set themselves as the only one allowed to change the current build and its shares.
 * @returns whether someone had
 */
async function endManager(of: { readonly client: DeploymentsClient; readonly deployment: string }): Promise<boolean> {
  const { client, deployment: deploymentName } = of;
  const { namespace } = client.options;
  const { previousManagerIdentity } = await client.workflowService.setWorkerDeploymentManager({
    ...{ namespace, deploymentName, identity: 'firebreak' },
    managerIdentity: '',
  });
  return Boolean(previousManagerIdentity);
}

/**
 * The version exists only once its worker has polled. If Temporal's own services are unavailable, that is a different problem, and the message must not suggest
 * this one.
 */
async function notCurrent({
  client,
  deployment,
  buildId,
  error,
}: {
  readonly client: DeploymentsClient;
  readonly deployment: string;
  readonly buildId: string;
  readonly error: unknown;
}): Promise<string> {
  const code = grpcCode(error);
  if (code !== grpc.notFound && code !== grpc.failedPrecondition)
    return `Temporal cannot make the worker build ${buildId} the current one: ${code === undefined ? 'no answer' : `gRPC status ${code}`}`;
  const full = await whyFull({ client, deployment }).catch(() => undefined);
  return `Temporal does not know the worker build ${buildId} yet${full === undefined ? '' : `. ${full}`}`;
}

/**
 * Anyone who can reach Temporal can poll under the name of our deployment, or of others, with builds of their own, until it accepts no more. Temporal itself
 * evicts those that nobody polls with.
 */
async function whyFull({
  client,
  deployment,
}: {
  readonly client: DeploymentsClient;
  readonly deployment: string;
}): Promise<string | undefined> {
  const { namespace } = client.options;
  const told = (known: string, setting: string): string =>
    `It knows ${known}, and accepts ${mostKnown} unless its ${setting} is set differently: find out who polls with those that are not Firebreak's, and stop that`;
  try {
    const { length: builds } = await knownBuilds({ client, deployment });
    return builds < mostKnown ? undefined : told(`${builds} builds of ${deployment}`, 'matching.maxVersionsInDeployment');
  } catch (error) {
    if (grpcCode(error) !== grpc.notFound) throw error;
    const { workerDeployments } = await client.workflowService.listWorkerDeployments({ namespace, pageSize: mostKnown });
    const others = workerDeployments?.length ?? 0;
    return others < mostKnown ? undefined : told(`${others} other deployments in ${namespace}`, 'matching.maxDeployments');
  }
}

/** The build that new incidents start on. */
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

/** What anyone who can reach Temporal can change about how it starts runs. */
type Rerouted = 'somebody manages our builds' | 'runs begin with another build';

/**
 * Firebreak never has Temporal start a share of runs on a build other than the current one: anyone who can reach Temporal can have every run start on a build
 * that nobody has, and make themselves the only one who may set builds.
 * @returns what was found and undone
 */
export async function takeBackRouting({
  client,
  deployment: deploymentName,
}: {
  readonly client: Client;
  readonly deployment: string;
}): Promise<readonly Rerouted[]> {
  const { namespace } = client.options;
  const { workerDeploymentInfo } = await client.workflowService.describeWorkerDeployment({ namespace, deploymentName });
  const rerouted: Rerouted[] = [];
  if (workerDeploymentInfo?.managerIdentity) {
    await endManager({ client, deployment: deploymentName });
    rerouted.push('somebody manages our builds');
  }
  if (!workerDeploymentInfo?.routingConfig?.rampingVersionPercentage) return rerouted;
  await client.workflowService.setWorkerDeploymentRampingVersion({
    ...{ namespace, deploymentName, buildId: '', percentage: 0, identity: 'firebreak' },
    ignoreMissingTaskQueues: true,
  });
  return [...rerouted, 'runs begin with another build'];
}

/** What a cell states about a build, for people: Temporal stores it, and anyone who can reach Temporal can change it. Nothing is decided by it. */
interface SaidOfBuild {
  /** `acme@1.2.0` */
  readonly packs: readonly string[];
  /** Percentage of new incidents that start on it. Absent: it is or was the current one. */
  readonly percent?: number;
}

const saidKey = 'firebreak';
const saidSchema = z.object({
  packs: z.array(z.string().max(200)).max(100),
  percent: z.number().min(0).max(100).exactOptional(),
});

/** @throws what Temporal throws, also if no worker of the build has polled it yet */
export async function sayOfBuild(options: {
  readonly client: Client;
  readonly deployment: string;
  readonly buildId: string;
  readonly said: SaidOfBuild;
}): Promise<void> {
  const { client, deployment: deploymentName, buildId, said } = options;
  await client.workflowService.updateWorkerDeploymentVersionMetadata({
    namespace: client.options.namespace,
    deploymentVersion: { deploymentName, buildId },
    upsertEntries: { [saidKey]: defaultPayloadConverter.toPayload(said) },
    identity: 'firebreak',
  });
}

/** Undefined if no cell has stated anything, or Temporal no longer knows the build. */
export async function saidOfBuild(options: {
  readonly client: Client;
  readonly deployment: string;
  readonly buildId: string;
}): Promise<SaidOfBuild | undefined> {
  const { client, deployment: deploymentName, buildId } = options;
  try {
    const { workerDeploymentVersionInfo: info } = await client.workflowService.describeWorkerDeploymentVersion({
      namespace: client.options.namespace,
      deploymentVersion: { deploymentName, buildId },
    });
    const entry = info?.metadata?.entries?.[saidKey];
    return entry && saidSchema.parse(defaultPayloadConverter.fromPayload(entry));
  } catch (error) {
    if (grpcCode(error) === grpc.notFound || error instanceof z.ZodError) return undefined;
    throw error;
  }
}

/** The builds that Temporal knows, newest first. */
export async function knownBuilds(options: {
  readonly client: {
    readonly options: { readonly namespace: string };
    readonly workflowService: Pick<DeploymentsClient['workflowService'], 'describeWorkerDeployment'>;
  };
  readonly deployment: string;
}): Promise<readonly string[]> {
  const { client, deployment } = options;
  const { workerDeploymentInfo } = await client.workflowService.describeWorkerDeployment({
    namespace: client.options.namespace,
    deploymentName: deployment,
  });
  return workerDeploymentInfo?.versionSummaries?.flatMap(({ deploymentVersion }) => deploymentVersion?.buildId ?? []) ?? [];
}

/** Counts open incidents and control workflows, or only one of these types, by the build they are pinned to. */
export async function pinnedTo(options: {
  readonly client: Client;
  readonly deployment: string;
  readonly types?: readonly ('incident' | 'control')[];
}): Promise<ReadonlyMap<string, number>> {
  const { client, deployment, types = ['incident', 'control'] } = options;
  const counts = new Map<string, number>();
  const query = `WorkflowType IN (${types.map((type) => `'${type}'`).join(', ')}) AND ExecutionStatus = 'Running' AND TemporalWorkerDeployment = '${deployment}'`;
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

/** Page size: for all open runs, only their builds are asked for. */
const listedAtOnce = 100;
/** A list that keeps naming more builds is not followed for ever. */
const mostBuilds = 100;

/** Builds that still have open incidents, except these. Each needs its own worker until they end. */
export async function openBuilds(options: {
  readonly client: Client;
  readonly deployment: string;
  readonly except: readonly string[];
}): Promise<readonly string[]> {
  const { client, deployment, except } = options;
  const builds = new Set<string>();
  for (let before = -1; before < builds.size && before < mostBuilds; ) {
    before = builds.size;
    const others = [...except, ...builds].map((id) => ` AND TemporalWorkerDeploymentVersion != '${deployment}:${id}'`).join('');
    const query = `WorkflowType IN ('incident', 'control') AND ExecutionStatus = 'Running' AND TemporalWorkerDeployment = '${deployment}'${others}`;
    let listed = 0;
    for await (const execution of client.workflow.list({ query, pageSize: listedAtOnce })) {
      const build = buildOf(execution);
      if (build !== undefined && !except.includes(build)) builds.add(build);
      listed += 1;
      // The remaining runs of these builds need not be read.
      if (listed >= listedAtOnce && builds.size > before) break;
    }
    if (listed < listedAtOnce) break;
  }
  return [...builds];
}
