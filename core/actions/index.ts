import type { ActionDeclaration } from '../action.ts';
import { blockEgress } from './block-egress.ts';
import { deletePod } from './delete-pod.ts';
import { isolateNamespace } from './isolate-namespace.ts';
import { openTicket } from './open-ticket.ts';
import { quarantinePod } from './quarantine-pod.ts';
import { quarantineWorkload } from './quarantine-workload.ts';
import { rotateSecret } from './rotate-secret.ts';
import { snapshotPodState } from './snapshot-pod-state.ts';

export {
  blockEgress,
  deletePod,
  isolateNamespace,
  openTicket,
  quarantinePod,
  quarantineWorkload,
  rotateSecret,
  snapshotPodState,
};

/** Every action there is: an explicit list, from which RBAC manifests and the reference are made. */
export const actions: readonly ActionDeclaration[] = [
  quarantinePod,
  quarantineWorkload,
  isolateNamespace,
  blockEgress,
  snapshotPodState,
  rotateSecret,
  deletePod,
  openTicket,
];
