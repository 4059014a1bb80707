// Generated from the files of core/actions by `npm run generate`. Do not edit.
import type { z } from 'zod';
import type { OutputOf } from '../action/action.ts';
import { blockEgressOutput } from './containment/block-egress.schema.ts';
import { countConnectionsOutput } from './containment/count-connections.schema.ts';
import { cutConnectionsOutput } from './containment/cut-connections.schema.ts';
import { denyImageOutput } from './containment/deny-image.schema.ts';
import { isolateNamespaceOutput } from './containment/isolate-namespace.schema.ts';
import { killProcessOutput } from './containment/kill-process.schema.ts';
import { probeQuarantineOutput } from './containment/probe-quarantine.schema.ts';
import { quarantinePodOutput } from './containment/quarantine-pod.schema.ts';
import { quarantineWorkloadOutput } from './containment/quarantine-workload.schema.ts';
import { captureProcessesOutput } from './evidence/capture-processes.schema.ts';
import { captureTrafficOutput } from './evidence/capture-traffic.schema.ts';
import { checkpointContainerOutput } from './evidence/checkpoint-container.schema.ts';
import { collectLogsOutput } from './evidence/collect-logs.schema.ts';
import { collectNodeInfoOutput } from './evidence/collect-node-info.schema.ts';
import { snapshotFilesystemOutput } from './evidence/snapshot-filesystem.schema.ts';
import { snapshotPodStateOutput } from './evidence/snapshot-pod-state.schema.ts';
import { snapshotVolumeOutput } from './evidence/snapshot-volume.schema.ts';
import type { DeclaredAction } from './index.ts';
import { cordonNodeOutput } from './nodes/cordon-node.schema.ts';
import { drainNodeOutput } from './nodes/drain-node.schema.ts';
import { openTicketOutput } from './open-ticket.schema.ts';
import { listReachableSecretsOutput } from './secrets/list-reachable-secrets.schema.ts';
import { revokeServiceAccountOutput } from './secrets/revoke-service-account.schema.ts';
import { revokeTokensOutput } from './secrets/revoke-tokens.schema.ts';
import { rotateSecretOutput } from './secrets/rotate-secret.schema.ts';
import { verifyImageOutput } from './verify-image.schema.ts';
import { deletePodOutput } from './workloads/delete-pod.schema.ts';
import { deleteWorkloadOutput } from './workloads/delete-workload.schema.ts';
import { evictPodOutput } from './workloads/evict-pod.schema.ts';
import { hardenWorkloadOutput } from './workloads/harden-workload.schema.ts';
import { restartWorkloadOutput } from './workloads/restart-workload.schema.ts';
import { rollbackWorkloadOutput } from './workloads/rollback-workload.schema.ts';
import { scaleToZeroOutput } from './workloads/scale-to-zero.schema.ts';
import { suspendCronJobOutput } from './workloads/suspend-cron-job.schema.ts';
import { suspendRolloutOutput } from './workloads/suspend-rollout.schema.ts';

const all = {
  blockEgress: blockEgressOutput,
  captureProcesses: captureProcessesOutput,
  captureTraffic: captureTrafficOutput,
  checkpointContainer: checkpointContainerOutput,
  collectLogs: collectLogsOutput,
  collectNodeInfo: collectNodeInfoOutput,
  cordonNode: cordonNodeOutput,
  countConnections: countConnectionsOutput,
  cutConnections: cutConnectionsOutput,
  deletePod: deletePodOutput,
  deleteWorkload: deleteWorkloadOutput,
  denyImage: denyImageOutput,
  drainNode: drainNodeOutput,
  evictPod: evictPodOutput,
  hardenWorkload: hardenWorkloadOutput,
  isolateNamespace: isolateNamespaceOutput,
  killProcess: killProcessOutput,
  listReachableSecrets: listReachableSecretsOutput,
  openTicket: openTicketOutput,
  probeQuarantine: probeQuarantineOutput,
  quarantinePod: quarantinePodOutput,
  quarantineWorkload: quarantineWorkloadOutput,
  restartWorkload: restartWorkloadOutput,
  revokeServiceAccount: revokeServiceAccountOutput,
  revokeTokens: revokeTokensOutput,
  rollbackWorkload: rollbackWorkloadOutput,
  rotateSecret: rotateSecretOutput,
  scaleToZero: scaleToZeroOutput,
  snapshotFilesystem: snapshotFilesystemOutput,
  snapshotPodState: snapshotPodStateOutput,
  snapshotVolume: snapshotVolumeOutput,
  suspendCronJob: suspendCronJobOutput,
  suspendRollout: suspendRolloutOutput,
  verifyImage: verifyImageOutput,
} satisfies { readonly [A in DeclaredAction as A['name']]: z.ZodType<OutputOf<A>> };

/** Output schema of each action: a simulation makes up outputs from it, so that a playbook can go on. */
export const actionOutputs: Readonly<Record<string, z.ZodObject>> = all;
