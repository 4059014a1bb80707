// Generated from the files of core/actions by `npm run generate`. Do not edit.
import type { ActionDeclaration } from '../action/action.ts';
import { blockEgress } from './containment/block-egress.ts';
import { countConnections } from './containment/count-connections.ts';
import { cutConnections } from './containment/cut-connections.ts';
import { denyImage } from './containment/deny-image.ts';
import { isolateNamespace } from './containment/isolate-namespace.ts';
import { killProcess } from './containment/kill-process.ts';
import { probeQuarantine } from './containment/probe-quarantine.ts';
import { quarantinePod } from './containment/quarantine-pod.ts';
import { quarantineWorkload } from './containment/quarantine-workload.ts';
import { captureProcesses } from './evidence/capture-processes.ts';
import { captureTraffic } from './evidence/capture-traffic.ts';
import { checkpointContainer } from './evidence/checkpoint-container.ts';
import { collectLogs } from './evidence/collect-logs.ts';
import { collectNodeInfo } from './evidence/collect-node-info.ts';
import { snapshotFilesystem } from './evidence/snapshot-filesystem.ts';
import { snapshotPodState } from './evidence/snapshot-pod-state.ts';
import { snapshotVolume } from './evidence/snapshot-volume.ts';
import { cordonNode } from './nodes/cordon-node.ts';
import { drainNode } from './nodes/drain-node.ts';
import { openTicket } from './open-ticket.ts';
import { listReachableSecrets } from './secrets/list-reachable-secrets.ts';
import { revokeServiceAccount } from './secrets/revoke-service-account.ts';
import { revokeTokens } from './secrets/revoke-tokens.ts';
import { rotateSecret } from './secrets/rotate-secret.ts';
import { verifyImage } from './verify-image.ts';
import { deletePod } from './workloads/delete-pod.ts';
import { deleteWorkload } from './workloads/delete-workload.ts';
import { evictPod } from './workloads/evict-pod.ts';
import { hardenWorkload } from './workloads/harden-workload.ts';
import { restartWorkload } from './workloads/restart-workload.ts';
import { rollbackWorkload } from './workloads/rollback-workload.ts';
import { scaleToZero } from './workloads/scale-to-zero.ts';
import { suspendCronJob } from './workloads/suspend-cron-job.ts';
import { suspendRollout } from './workloads/suspend-rollout.ts';

export {
  blockEgress,
  captureProcesses,
  captureTraffic,
  checkpointContainer,
  collectLogs,
  collectNodeInfo,
  cordonNode,
  countConnections,
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

const all = [
  blockEgress,
  countConnections,
  cutConnections,
  denyImage,
  isolateNamespace,
  killProcess,
  probeQuarantine,
  quarantinePod,
  quarantineWorkload,
  captureProcesses,
  captureTraffic,
  checkpointContainer,
  collectLogs,
  collectNodeInfo,
  snapshotFilesystem,
  snapshotPodState,
  snapshotVolume,
  cordonNode,
  drainNode,
  openTicket,
  listReachableSecrets,
  revokeServiceAccount,
  revokeTokens,
  rotateSecret,
  verifyImage,
  deletePod,
  deleteWorkload,
  evictPod,
  hardenWorkload,
  restartWorkload,
  rollbackWorkload,
  scaleToZero,
  suspendCronJob,
  suspendRollout,
] as const;

/** One of them, as it is declared. */
export type DeclaredAction = (typeof all)[number];

/** Every action there is: the source for the RBAC manifests, the reference, and what a release without a cell looks for. */
export const actions: readonly ActionDeclaration[] = all;
