import { blockEgressImplementation } from '../../../activities/actions/containment/block-egress.ts';
import { denyImageImplementation } from '../../../activities/actions/containment/deny-image.ts';
import { isolateNamespaceImplementation } from '../../../activities/actions/containment/isolate-namespace.ts';
import { quarantinePodImplementation } from '../../../activities/actions/containment/quarantine-pod.ts';
import { quarantineWorkloadImplementation } from '../../../activities/actions/containment/quarantine-workload.ts';
import { collectLogsImplementation } from '../../../activities/actions/evidence/collect-logs.ts';
import { collectNodeInfoImplementation } from '../../../activities/actions/evidence/collect-node-info.ts';
import { snapshotPodStateImplementation } from '../../../activities/actions/evidence/snapshot-pod-state.ts';
import { snapshotVolumeImplementation } from '../../../activities/actions/evidence/snapshot-volume.ts';
import { cordonNodeImplementation } from '../../../activities/actions/nodes/cordon-node.ts';
import { drainNodeImplementation } from '../../../activities/actions/nodes/drain-node.ts';
import type { IsolationParts } from '../../../activities/actions/nodes/node-isolation.ts';
import { listReachableSecretsImplementation } from '../../../activities/actions/secrets/list-reachable-secrets.ts';
import { revokeServiceAccountImplementation } from '../../../activities/actions/secrets/revoke-service-account.ts';
import { deletePodImplementation } from '../../../activities/actions/workloads/delete-pod.ts';
import { deleteWorkloadImplementation } from '../../../activities/actions/workloads/delete-workload.ts';
import { evictPodImplementation } from '../../../activities/actions/workloads/evict-pod.ts';
import { hardenWorkloadImplementation } from '../../../activities/actions/workloads/harden-workload.ts';
import { restartWorkloadImplementation } from '../../../activities/actions/workloads/restart-workload.ts';
import { scaleToZeroImplementation } from '../../../activities/actions/workloads/scale-to-zero.ts';
import { suspendCronJobImplementation } from '../../../activities/actions/workloads/suspend-cron-job.ts';
import { suspendRolloutImplementation } from '../../../activities/actions/workloads/suspend-rollout.ts';
import type { RegisteredAction } from '../../../activities/chokepoint/parts.ts';
import { registeredActions } from '../../../activities/chokepoint/registered.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { createWebhookNodeIsolator } from '../../../integrations/webhook/node-isolator.ts';
import type { Config } from '../../config/load.ts';
import type { Secrets } from '../../config/secrets.ts';
import type { EvidencePart } from '../../process/evidence.ts';
import { isProtected, type RulesConfig, rulesOf } from '../../process/rules.ts';
import type { ClusterWatch } from './cluster-watch.ts';

/** Actions under the cell's account that contain, keep, notify and end things: one line for each action whose declaration says `pool: 'cell'`. */
export function cellActions({
  config,
  secrets,
  api,
  watch: { view, cellKey, denyTier, notes },
  evidence,
}: {
  readonly config: Pick<Config, 'actions' | 'cluster'> & RulesConfig;
  readonly secrets: Pick<Secrets, 'nodeIsolation'>;
  readonly api: KubernetesApi;
  readonly watch: ClusterWatch;
  readonly evidence: EvidencePart;
}): readonly RegisteredAction[] {
  const { optIn, quarantine: exceptions, appArmorOnEveryNode, gitops: pausing } = config.actions;
  const { protectedNamespaces, ownNamespace } = rulesOf(config);
  const exempt = [...new Set([...protectedNamespaces, ownNamespace])].sort();
  const isolation = nodeIsolationOf(config, secrets);
  const parts = { api, view, cellKey };
  const quarantine = { ...parts, denyTier, exceptions, ...(notes && { noteOf: notes.of }) };
  const holding = { ...parts, pausing, isProtected: isProtected(config) };
  const keeping = { ...parts, ...evidence };
  return registeredActions({
    pool: 'cell',
    optIn,
    implementations: {
      blockEgress: blockEgressImplementation(parts),
      collectLogs: collectLogsImplementation(keeping),
      collectNodeInfo: collectNodeInfoImplementation(keeping),
      cordonNode: cordonNodeImplementation({ ...parts, ...(isolation && { isolation }) }),
      deletePod: deletePodImplementation(parts),
      deleteWorkload: deleteWorkloadImplementation(parts),
      denyImage: denyImageImplementation({ ...parts, exempt }),
      drainNode: drainNodeImplementation({ ...parts, isProtected: isProtected(config) }),
      evictPod: evictPodImplementation(parts),
      hardenWorkload: hardenWorkloadImplementation({ ...parts, appArmorOnEveryNode }),
      isolateNamespace: isolateNamespaceImplementation(parts),
      listReachableSecrets: listReachableSecretsImplementation(parts),
      quarantinePod: quarantinePodImplementation(quarantine),
      quarantineWorkload: quarantineWorkloadImplementation(quarantine),
      restartWorkload: restartWorkloadImplementation(parts),
      revokeServiceAccount: revokeServiceAccountImplementation(parts),
      scaleToZero: scaleToZeroImplementation(holding),
      snapshotPodState: snapshotPodStateImplementation(keeping),
      snapshotVolume: snapshotVolumeImplementation(keeping),
      suspendCronJob: suspendCronJobImplementation(holding),
      suspendRollout: suspendRolloutImplementation(holding),
    },
  });
}

/** Isolates nodes at their provider; undefined if nothing is configured. */
export function nodeIsolationOf(
  { cluster, actions }: Pick<Config, 'actions' | 'cluster'>,
  { nodeIsolation: secret = '' }: Pick<Secrets, 'nodeIsolation'>,
): IsolationParts | undefined {
  if (!actions.nodeIsolation) return undefined;
  const { url, timeoutSeconds } = actions.nodeIsolation.webhook;
  return { cluster, isolator: createWebhookNodeIsolator({ url, secret, timeoutMs: timeoutSeconds * 1_000 }) };
}
