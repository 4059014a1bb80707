import type { ActionDeclaration } from '../action.ts';
import { blockEgress } from './block-egress.ts';
import { captureProcesses } from './capture-processes.ts';
import { captureTraffic } from './capture-traffic.ts';
import { checkpointContainer } from './checkpoint-container.ts';
import { collectLogs } from './collect-logs.ts';
import { collectNodeInfo } from './collect-node-info.ts';
import { cordonNode } from './cordon-node.ts';
import { cutConnections } from './cut-connections.ts';
import { deletePod } from './delete-pod.ts';
import { deleteWorkload } from './delete-workload.ts';
import { denyImage } from './deny-image.ts';
import { drainNode } from './drain-node.ts';
import { evictPod } from './evict-pod.ts';
import { hardenWorkload } from './harden-workload.ts';
import { isolateNamespace } from './isolate-namespace.ts';
import { killProcess } from './kill-process.ts';
import { listReachableSecrets } from './list-reachable-secrets.ts';
import { openTicket } from './open-ticket.ts';
import { probeQuarantine } from './probe-quarantine.ts';
import { quarantinePod } from './quarantine-pod.ts';
import { quarantineWorkload } from './quarantine-workload.ts';
import { restartWorkload } from './restart-workload.ts';
import { revokeServiceAccount } from './revoke-service-account.ts';
import { revokeTokens } from './revoke-tokens.ts';
import { rollbackWorkload } from './rollback-workload.ts';
import { rotateSecret } from './rotate-secret.ts';
import { scaleToZero } from './scale-to-zero.ts';
import { snapshotFilesystem } from './snapshot-filesystem.ts';
import { snapshotPodState } from './snapshot-pod-state.ts';
import { snapshotVolume } from './snapshot-volume.ts';
import { suspendCronJob } from './suspend-cron-job.ts';
import { suspendRollout } from './suspend-rollout.ts';
import { verifyImage } from './verify-image.ts';

export {
  blockEgress,
  captureProcesses,
  captureTraffic,
  checkpointContainer,
  collectLogs,
  collectNodeInfo,
  cordonNode,
  cutConnections,
  deletePod,
  deleteWorkload,
  denyImage,
  drainNode,
  evictPod,
  hardenWorkload,
  isolateNamespace,
  killProcess,
  listReachableSecrets,
  openTicket,
  probeQuarantine,
  quarantinePod,
  quarantineWorkload,
  restartWorkload,
  revokeServiceAccount,
  revokeTokens,
  rollbackWorkload,
  rotateSecret,
  scaleToZero,
  snapshotFilesystem,
  snapshotPodState,
  snapshotVolume,
  suspendCronJob,
  suspendRollout,
  verifyImage,
};

/** Every action there is: an explicit list, from which RBAC manifests and the reference are made. */
export const actions: readonly ActionDeclaration[] = [
  quarantinePod,
  probeQuarantine,
  cutConnections,
  quarantineWorkload,
  isolateNamespace,
  blockEgress,
  cordonNode,
  suspendCronJob,
  suspendRollout,
  scaleToZero,
  revokeServiceAccount,
  denyImage,
  snapshotPodState,
  snapshotFilesystem,
  snapshotVolume,
  collectNodeInfo,
  checkpointContainer,
  rotateSecret,
  deletePod,
  collectLogs,
  captureProcesses,
  captureTraffic,
  killProcess,
  listReachableSecrets,
  verifyImage,
  evictPod,
  restartWorkload,
  rollbackWorkload,
  hardenWorkload,
  deleteWorkload,
  drainNode,
  revokeTokens,
  openTicket,
];
