import type { z } from 'zod';
import { blockEgressInput } from './block-egress.schema.ts';
import { captureProcessesInput } from './capture-processes.schema.ts';
import { captureTrafficInput } from './capture-traffic.schema.ts';
import { checkpointContainerInput } from './checkpoint-container.schema.ts';
import { collectLogsInput } from './collect-logs.schema.ts';
import { collectNodeInfoInput } from './collect-node-info.schema.ts';
import { cordonNodeInput } from './cordon-node.schema.ts';
import { cutConnectionsInput } from './cut-connections.schema.ts';
import { deletePodInput } from './delete-pod.schema.ts';
import { deleteWorkloadInput } from './delete-workload.schema.ts';
import { denyImageInput } from './deny-image.schema.ts';
import { drainNodeInput } from './drain-node.schema.ts';
import { evictPodInput } from './evict-pod.schema.ts';
import { hardenWorkloadInput } from './harden-workload.schema.ts';
import { isolateNamespaceInput } from './isolate-namespace.schema.ts';
import { killProcessInput } from './kill-process.schema.ts';
import { listReachableSecretsInput } from './list-reachable-secrets.schema.ts';
import { openTicketInput } from './open-ticket.schema.ts';
import { probeQuarantineInput } from './probe-quarantine.schema.ts';
import { quarantinePodInput } from './quarantine-pod.schema.ts';
import { quarantineWorkloadInput } from './quarantine-workload.schema.ts';
import { restartWorkloadInput } from './restart-workload.schema.ts';
import { revokeServiceAccountInput } from './revoke-service-account.schema.ts';
import { revokeTokensInput } from './revoke-tokens.schema.ts';
import { rollbackWorkloadInput } from './rollback-workload.schema.ts';
import { rotateSecretInput } from './rotate-secret.schema.ts';
import { scaleToZeroInput } from './scale-to-zero.schema.ts';
import { snapshotFilesystemInput } from './snapshot-filesystem.schema.ts';
import { snapshotPodStateInput } from './snapshot-pod-state.schema.ts';
import { snapshotVolumeInput } from './snapshot-volume.schema.ts';
import { suspendCronJobInput } from './suspend-cron-job.schema.ts';
import { suspendRolloutInput } from './suspend-rollout.schema.ts';
import { verifyImageInput } from './verify-image.schema.ts';

/** What each action is called with. For the reference: the chokepoint has its own with each implementation. */
export const actionInputs: Readonly<Record<string, z.ZodObject>> = {
  blockEgress: blockEgressInput,
  captureProcesses: captureProcessesInput,
  captureTraffic: captureTrafficInput,
  checkpointContainer: checkpointContainerInput,
  collectLogs: collectLogsInput,
  collectNodeInfo: collectNodeInfoInput,
  cordonNode: cordonNodeInput,
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
};
