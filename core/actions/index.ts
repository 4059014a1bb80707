import type { ActionDeclaration } from '../action.ts';
import { deletePod } from './delete-pod.ts';
import { openTicket } from './open-ticket.ts';
import { quarantinePod } from './quarantine-pod.ts';
import { rotateSecret } from './rotate-secret.ts';
import { snapshotPodState } from './snapshot-pod-state.ts';

export { deletePod, openTicket, quarantinePod, rotateSecret, snapshotPodState };

/** Every action there is: an explicit list, from which RBAC manifests and the reference are made. */
export const actions: readonly ActionDeclaration[] = [quarantinePod, snapshotPodState, rotateSecret, deletePod, openTicket];
