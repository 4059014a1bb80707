import type { ActionDeclaration } from '../action.ts';
import { revokeTokens } from './revoke-tokens.ts';
import { drainNode } from './drain-node.ts';
import { deleteWorkload } from './delete-workload.ts';
import { rollbackWorkload } from './rollback-workload.ts';
import { restartWorkload } from './restart-workload.ts';
import { evictPod } from './evict-pod.ts';
import { listReachableSecrets } from './list-reachable-secrets.ts';
import { collectLogs } from './collect-logs.ts';
import { blockEgress } from './block-egress.ts';
import { cordonNode } from './cordon-node.ts';
import { deletePod } from './delete-pod.ts';
import { denyImage } from './deny-image.ts';
import { isolateNamespace } from './isolate-namespace.ts';
import { openTicket } from './open-ticket.ts';
import { quarantinePod } from './quarantine-pod.ts';
import { quarantineWorkload } from './quarantine-workload.ts';
import { revokeServiceAccount } from './revoke-service-account.ts';
import { rotateSecret } from './rotate-secret.ts';
import { scaleToZero } from './scale-to-zero.ts';
import { snapshotPodState } from './snapshot-pod-state.ts';
import { suspendCronJob } from './suspend-cron-job.ts';
import { suspendRollout } from './suspend-rollout.ts';

export {
  collectLogs,
  listReachableSecrets,
  evictPod,
  restartWorkload,
  rollbackWorkload,
  deleteWorkload,
  drainNode,
  revokeTokens,
  blockEgress,
  cordonNode,
  deletePod,
  denyImage,
  isolateNamespace,
  openTicket,
  quarantinePod,
  quarantineWorkload,
  revokeServiceAccount,
  rotateSecret,
  scaleToZero,
  snapshotPodState,
  suspendCronJob,
  suspendRollout,
};

/** Every action there is: an explicit list, from which RBAC manifests and the reference are made. */
export const actions: readonly ActionDeclaration[] = [
  quarantinePod,
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
  rotateSecret,
  deletePod,
  collectLogs,
  listReachableSecrets,
  evictPod,
  restartWorkload,
  rollbackWorkload,
  deleteWorkload,
  drainNode,
  revokeTokens,
  openTicket,
];
