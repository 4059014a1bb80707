import { setTimeout as sleep } from 'node:timers/promises';
import { deletePodImplementation } from '../../activities/actions/delete-pod.ts';
import { quarantinePodImplementation } from '../../activities/actions/quarantine-pod.ts';
import { rotateSecretImplementation } from '../../activities/actions/rotate-secret.ts';
import { snapshotPodStateImplementation } from '../../activities/actions/snapshot-pod-state.ts';
import { createCellActivities } from '../../activities/cell.ts';
import { createChokepoint, type RegisteredAction } from '../../activities/chokepoint.ts';
import { deletePodInput } from '../../core/actions/delete-pod.schema.ts';
import { deletePod, quarantinePod, rotateSecret, snapshotPodState } from '../../core/actions/index.ts';
import { quarantinePodInput } from '../../core/actions/quarantine-pod.schema.ts';
import { rotateSecretInput } from '../../core/actions/rotate-secret.schema.ts';
import { snapshotPodStateInput } from '../../core/actions/snapshot-pod-state.schema.ts';
import type { CellActivities } from '../../core/step.ts';
import { createKubernetesApi, type KubernetesApi } from '../../integrations/kubernetes/client.ts';
import { accessFromKubeconfig, accessInCluster } from '../../integrations/kubernetes/kubeconfig.ts';
import { StandingPolicies } from '../../integrations/kubernetes/standing-policy.ts';
import { WatchCache } from '../../integrations/kubernetes/watch-cache.ts';
import type { Config, Environment } from '../config/load.ts';
import type { Secrets } from '../config/secrets.ts';
import { type EvidencePart, openEvidence } from './evidence.ts';
import { readCellKey, readPublicKeys } from './keys.ts';
import type { Logger } from './log.ts';
import { createCensus, rulesOf } from './rules.ts';
import { createVoteKeys } from './vote-keys.ts';

const firstListsMs = 10_000;

/** What cell, secrets and forensics pools share: one cluster, seen and reached with one account. */
export interface Cluster {
  readonly api: KubernetesApi;
  readonly view: WatchCache;
  readonly cellKey: Uint8Array;
  stop(): Promise<void>;
}

/** Connects to the cluster and waits until the watch cache has its first lists. */
export async function openCluster({
  config,
  env,
  log,
}: {
  readonly config: Config;
  readonly env: Environment;
  readonly log: Logger;
}): Promise<Cluster> {
  const { kubeconfig, context } = config.kubernetes;
  const access = kubeconfig
    ? await accessFromKubeconfig({ file: kubeconfig, ...(context ? { context } : {}) })
    : accessInCluster({ host: env.KUBERNETES_SERVICE_HOST, port: env.KUBERNETES_SERVICE_PORT });
  const api = createKubernetesApi({ access });
  const view = new WatchCache({ api, log: (event) => log.debug({ ...event }, 'watch') });
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
    view,
    cellKey: await readCellKey(config.keys.cellKeyFile),
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

/** The activities of the pools that touch the cluster, each with the actions of its own rights. */
export async function createClusterActivities(options: {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly cluster: Cluster;
  readonly pool: 'cell' | 'secrets';
  readonly log: Logger;
}): Promise<CellActivities> {
  const { config, cluster, pool, log } = options;
  const evidence = await openEvidence(options);
  const keys = createVoteKeys({ deskPublicKeys: await readPublicKeys(config.desk.votePublicKeys), roster: config.roster });
  const chokepoint = createChokepoint({
    actions: pool === 'cell' ? cellActions(cluster, evidence) : secretsActions(cluster),
    rules: rulesOf(config),
    roster: config.roster,
    keys,
    census: createCensus(cluster),
    evidenceKept: evidence.kept,
  });
  return createCellActivities({ chokepoint, roster: config.roster, keys, log });
}

/** One place where a typed implementation joins the list: the chokepoint checks the input by the schema before it is called. */
function register<Input, Output>(action: RegisteredAction<Input, Output>): RegisteredAction {
  return action as unknown as RegisteredAction;
}

function cellActions(
  { api, view, cellKey }: Cluster,
  { store, writeManifest, verifyManifest }: EvidencePart,
): readonly RegisteredAction[] {
  return [
    register({
      declaration: quarantinePod,
      input: quarantinePodInput,
      implementation: quarantinePodImplementation({ api, view, cellKey }),
    }),
    register({
      declaration: snapshotPodState,
      input: snapshotPodStateInput,
      implementation: snapshotPodStateImplementation({ api, store, writeManifest, verifyManifest }),
    }),
    register({ declaration: deletePod, input: deletePodInput, implementation: deletePodImplementation({ api }) }),
  ];
}

function secretsActions({ api }: Cluster): readonly RegisteredAction[] {
  return [register({ declaration: rotateSecret, input: rotateSecretInput, implementation: rotateSecretImplementation({ api }) })];
}
