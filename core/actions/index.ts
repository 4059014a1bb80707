import type { ActionDeclaration } from '../action.ts';
import { blockEgress } from './block-egress.ts';
import { collectLogs } from './collect-logs.ts';
import { cordonNode } from './cordon-node.ts';
import { deletePod } from './delete-pod.ts';
<<<<<<< HEAD
import { denyImage } from './deny-image.ts';
=======
import { deleteWorkload } from './delete-workload.ts';
import { drainNode } from './drain-node.ts';
import { evictPod } from './evict-pod.ts';
>>>>>>> 6ec5042 (Ask the API server which rights are missing, print those of any playbooks, and ship no more than the shipped ones need)
import { isolateNamespace } from './isolate-namespace.ts';
import { listReachableSecrets } from './list-reachable-secrets.ts';
import { openTicket } from './open-ticket.ts';
import { quarantinePod } from './quarantine-pod.ts';
import { quarantineWorkload } from './quarantine-workload.ts';
<<<<<<< HEAD
import { revokeServiceAccount } from './revoke-service-account.ts';
=======
import { restartWorkload } from './restart-workload.ts';
import { revokeTokens } from './revoke-tokens.ts';
import { rollbackWorkload } from './rollback-workload.ts';
>>>>>>> 6ec5042 (Ask the API server which rights are missing, print those of any playbooks, and ship no more than the shipped ones need)
import { rotateSecret } from './rotate-secret.ts';
import { scaleToZero } from './scale-to-zero.ts';
import { snapshotPodState } from './snapshot-pod-state.ts';
import { suspendCronJob } from './suspend-cron-job.ts';
import { suspendRollout } from './suspend-rollout.ts';

export {
  blockEgress,
  collectLogs,
  cordonNode,
  deletePod,
<<<<<<< HEAD
  denyImage,
=======
  deleteWorkload,
  drainNode,
  evictPod,
>>>>>>> 6ec5042 (Ask the API server which rights are missing, print those of any playbooks, and ship no more than the shipped ones need)
  isolateNamespace,
  listReachableSecrets,
  openTicket,
  quarantinePod,
  quarantineWorkload,
<<<<<<< HEAD
  revokeServiceAccount,
=======
  restartWorkload,
  revokeTokens,
  rollbackWorkload,
>>>>>>> 6ec5042 (Ask the API server which rights are missing, print those of any playbooks, and ship no more than the shipped ones need)
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
