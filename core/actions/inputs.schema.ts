// Generated from the files of core/actions by `npm run generate`. Do not edit.
import type { z } from 'zod';
import type { InputOf } from '../action/action.ts';
import { blockEgressInput } from './containment/block-egress.schema.ts';
import { countConnectionsInput } from './containment/count-connections.schema.ts';
import { cutConnectionsInput } from './containment/cut-connections.schema.ts';
import { denyImageInput } from './containment/deny-image.schema.ts';
import { isolateNamespaceInput } from './containment/isolate-namespace.schema.ts';
import { killProcessInput } from './containment/kill-process.schema.ts';
import { probeQuarantineInput } from './containment/probe-quarantine.schema.ts';
import { quarantinePodInput } from './containment/quarantine-pod.schema.ts';
import { quarantineWorkloadInput } from './containment/quarantine-workload.schema.ts';
import { captureProcessesInput } from './evidence/capture-processes.schema.ts';
import { captureTrafficInput } from './evidence/capture-traffic.schema.ts';
import { checkpointContainerInput } from './evidence/checkpoint-container.schema.ts';
import { collectLogsInput } from './evidence/collect-logs.schema.ts';
import { collectNodeInfoInput } from './evidence/collect-node-info.schema.ts';
import { snapshotFilesystemInput } from './evidence/snapshot-filesystem.schema.ts';
import { snapshotPodStateInput } from './evidence/snapshot-pod-state.schema.ts';
import { snapshotVolumeInput } from './evidence/snapshot-volume.schema.ts';
import type { DeclaredAction } from './index.ts';
import { cordonNodeInput } from './nodes/cordon-node.schema.ts';
import { drainNodeInput } from './nodes/drain-node.schema.ts';
import { openTicketInput } from './open-ticket.schema.ts';
import { listReachableSecretsInput } from './secrets/list-reachable-secrets.schema.ts';
import { revokeServiceAccountInput } from './secrets/revoke-service-account.schema.ts';
import { revokeTokensInput } from './secrets/revoke-tokens.schema.ts';
import { rotateSecretInput } from './secrets/rotate-secret.schema.ts';
import { verifyImageInput } from './verify-image.schema.ts';
import { deletePodInput } from './workloads/delete-pod.schema.ts';
import { deleteWorkloadInput } from './workloads/delete-workload.schema.ts';
import { evictPodInput } from './workloads/evict-pod.schema.ts';
import { hardenWorkloadInput } from './workloads/harden-workload.schema.ts';
import { restartWorkloadInput } from './workloads/restart-workload.schema.ts';
import { rollbackWorkloadInput } from './workloads/rollback-workload.schema.ts';
import { scaleToZeroInput } from './workloads/scale-to-zero.schema.ts';
import { suspendCronJobInput } from './workloads/suspend-cron-job.schema.ts';
import { suspendRolloutInput } from './workloads/suspend-rollout.schema.ts';

const all = {
  blockEgress: blockEgressInput,
  captureProcesses: captureProcessesInput,
  captureTraffic: captureTrafficInput,
  checkpointContainer: checkpointContainerInput,
  collectLogs: collectLogsInput,
  collectNodeInfo: collectNodeInfoInput,
  cordonNode: cordonNodeInput,
  countConnections: countConnectionsInput,
  cutConnections: cutConnectionsInput,
  deletePod: deletePodInput,
  deleteWorkload: deleteWorkloadInput,
  denyImage: denyImageInput,
  drainNode: drainNodeInput,
  evictPod: evictPodInput,
  hardenWorkload: hardenWorkloadInput,
  isolateNamespace: isolateNamespaceInput,
  killProcess: killProcessInput,
  listReachableSecrets: listReachableSecretsInput,
  openTicket: openTicketInput,
  probeQuarantine: probeQuarantineInput,
  quarantinePod: quarantinePodInput,
  quarantineWorkload: quarantineWorkloadInput,
  restartWorkload: restartWorkloadInput,
  revokeServiceAccount: revokeServiceAccountInput,
  revokeTokens: revokeTokensInput,
  rollbackWorkload: rollbackWorkloadInput,
  rotateSecret: rotateSecretInput,
  scaleToZero: scaleToZeroInput,
  snapshotFilesystem: snapshotFilesystemInput,
  snapshotPodState: snapshotPodStateInput,
  snapshotVolume: snapshotVolumeInput,
  suspendCronJob: suspendCronJobInput,
  suspendRollout: suspendRolloutInput,
  verifyImage: verifyImageInput,
} satisfies { readonly [A in DeclaredAction as A['name']]: z.ZodType<InputOf<A>> };

/** Input schema of each action: the chokepoint checks calls by it, and the reference documents it. */
export const actionInputs: Readonly<Record<string, z.ZodObject>> = all;
