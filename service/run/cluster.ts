import { setTimeout as sleep } from 'node:timers/promises';
import { blockEgressImplementation } from '../../activities/actions/block-egress.ts';
import { deletePodImplementation } from '../../activities/actions/delete-pod.ts';
import { isolateNamespaceImplementation } from '../../activities/actions/isolate-namespace.ts';
import { quarantinePodImplementation } from '../../activities/actions/quarantine-pod.ts';
import { quarantineWorkloadImplementation } from '../../activities/actions/quarantine-workload.ts';
import { rotateSecretImplementation } from '../../activities/actions/rotate-secret.ts';
import { snapshotPodStateImplementation } from '../../activities/actions/snapshot-pod-state.ts';
import { createCellActivities } from '../../activities/cell.ts';
import { type ChokepointParts, createChokepoint, type RegisteredAction, type StepRegister } from '../../activities/chokepoint.ts';
import type { OwnSteps } from '../../activities/own-steps.ts';
import { blockEgressInput } from '../../core/actions/block-egress.schema.ts';
import { deletePodInput } from '../../core/actions/delete-pod.schema.ts';
import {
  blockEgress,
  deletePod,
  isolateNamespace,
  quarantinePod,
  quarantineWorkload,
  rotateSecret,
  snapshotPodState,
} from '../../core/actions/index.ts';
import { isolateNamespaceInput } from '../../core/actions/isolate-namespace.schema.ts';
import { quarantinePodInput } from '../../core/actions/quarantine-pod.schema.ts';
import { quarantineWorkloadInput } from '../../core/actions/quarantine-workload.schema.ts';
import { rotateSecretInput } from '../../core/actions/rotate-secret.schema.ts';
import { snapshotPodStateInput } from '../../core/actions/snapshot-pod-state.schema.ts';
import type { CellActivities } from '../../core/step.ts';
import { createKubernetesApi, type KubernetesApi } from '../../integrations/kubernetes/client.ts';
import { accessFromKubeconfig, accessInCluster } from '../../integrations/kubernetes/kubeconfig.ts';
import { StandingPolicies } from '../../integrations/kubernetes/standing-policy.ts';
import { WatchCache } from '../../integrations/kubernetes/watch-cache.ts';
import type { Config, Environment } from '../config/load.ts';
import type { Secrets } from '../config/secrets.ts';
import { type EvidencePart, openEvidence, openEvidenceCheck } from './evidence.ts';
import { readCellKey, readPublicKeys } from './keys.ts';
import type { Logger } from './log.ts';
import { createCensus, noCensus, rulesOf } from './rules.ts';
import { createVoteKeys } from './vote-keys.ts';

const firstListsMs = 10_000;

/** One cluster, reached with one account. */
export interface Cluster {
  readonly api: KubernetesApi;
  /** Of the cell: the secrets pool's account may neither watch the cluster nor write policies. */
  readonly watch?: ClusterWatch;
  stop(): Promise<void>;
}

export interface ClusterWatch {
  readonly view: WatchCache;
  readonly cellKey: Uint8Array;
}

/** Connects to the cluster; for the cell, waits until the watch cache has its first lists, and keeps the standing policies. */
export async function openCluster(options: {
  readonly config: Config;
  readonly env: Environment;
  readonly watches: boolean;
  /** What is asked of the API server within a step says so. */
  readonly steps: OwnSteps;
  readonly log: Logger;
}): Promise<Cluster> {
  const { config, env, watches, steps, log } = options;
  const { kubeconfig, context } = config.kubernetes;
  const access = kubeconfig
    ? await accessFromKubeconfig({ file: kubeconfig, ...(context ? { context } : {}) })
    : accessInCluster({ host: env.KUBERNETES_SERVICE_HOST, port: env.KUBERNETES_SERVICE_PORT });
  const api = createKubernetesApi({ access, stamp: (request) => steps.stamp(request) });
  if (!watches) return { api, stop: async () => api.close() };
  const nodes = Object.values(config.sensors).some(({ daemonSet }) => daemonSet !== undefined);
  const view = new WatchCache({ api, nodes, log: (event) => log.debug({ ...event }, 'watch') });
  // The intake opens without the cluster too: what cannot be resolved yet is kept, and asked about.
  await Promise.race([view.start(), sleep(firstListsMs, undefined, { ref: false })]);
  const policies = new StandingPolicies({
    api,
    view,
    watched: (namespace) => isWatched(config, namespace),
    log: (event) => log.info(event, 'standing policy'),
  });
  await policies.start();
  return {
    api,
    watch: { view, cellKey: await readCellKey(config.keys.cellKeyFile) },
    stop: async () => {
      await policies.stop();
      await view.stop();
      api.close();
    },
  };
}

export function isWatched(config: Config, namespace: string): boolean {
  if (config.guardrails.protectedNamespaces.includes(namespace)) return false;
  return config.watch.namespaces?.includes(namespace) ?? true;
}

export interface PoolParts {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly cluster: Cluster;
  /** Where steps are registered that sensors will see. */
  readonly steps?: StepRegister | undefined;
  readonly log: Logger;
}

/** The cell's activities: what contains and what keeps. */
export async function createCellPool({
  config,
  secrets,
  cluster,
  watch,
  steps,
  log,
}: PoolParts & { readonly watch: ClusterWatch }): Promise<CellActivities> {
  const evidence = await openEvidence({ config, secrets });
  return activitiesOf({
    config,
    log,
    actions: cellActions(cluster.api, watch, evidence),
    census: createCensus(watch),
    evidenceKept: evidence.kept,
    steps,
  });
}

/** The secrets pool's activities, under an account that may do nothing else. It contains nothing, so it counts nothing. */
export async function createSecretsPool({ config, secrets, cluster, steps, log }: PoolParts): Promise<CellActivities> {
  const evidenceKept = await openEvidenceCheck({ config, secrets });
  return activitiesOf({ config, log, actions: secretsActions(cluster.api), census: noCensus, evidenceKept, steps });
}

async function activitiesOf(
  parts: Pick<ChokepointParts, 'actions' | 'census' | 'evidenceKept'> & Pick<PoolParts, 'config' | 'log' | 'steps'>,
): Promise<CellActivities> {
  const { config, log, actions, census, evidenceKept, steps } = parts;
  const { roster } = config;
  const keys = createVoteKeys({ deskPublicKeys: await readPublicKeys(config.desk.votePublicKeys), roster });
  const chokepoint = createChokepoint({
    actions,
    rules: rulesOf(config),
    roster,
    keys,
    census,
    evidenceKept,
    ...(steps && { steps }),
  });
  return createCellActivities({ chokepoint, roster, keys, log });
}

/** One place where a typed implementation joins the list: the chokepoint checks the input by the schema before it is called. */
function register<Input, Output>(action: RegisteredAction<Input, Output>): RegisteredAction {
  return action as unknown as RegisteredAction;
}

function cellActions(
  api: KubernetesApi,
  { view, cellKey }: ClusterWatch,
  { store, writeManifest, verifyManifest }: EvidencePart,
): readonly RegisteredAction[] {
  return [
    register({
      declaration: quarantinePod,
      input: quarantinePodInput,
      implementation: quarantinePodImplementation({ api, view, cellKey }),
    }),
    register({
      declaration: quarantineWorkload,
      input: quarantineWorkloadInput,
      implementation: quarantineWorkloadImplementation({ api, view, cellKey }),
    }),
    register({
      declaration: isolateNamespace,
      input: isolateNamespaceInput,
      implementation: isolateNamespaceImplementation({ api, cellKey }),
    }),
    register({
      declaration: blockEgress,
      input: blockEgressInput,
      implementation: blockEgressImplementation({ api, cellKey }),
    }),
    register({
      declaration: snapshotPodState,
      input: snapshotPodStateInput,
      implementation: snapshotPodStateImplementation({ api, store, writeManifest, verifyManifest }),
    }),
    register({ declaration: deletePod, input: deletePodInput, implementation: deletePodImplementation({ api }) }),
  ];
}

function secretsActions(api: KubernetesApi): readonly RegisteredAction[] {
  return [register({ declaration: rotateSecret, input: rotateSecretInput, implementation: rotateSecretImplementation({ api }) })];
}
