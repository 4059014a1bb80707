import { declareAction } from '../../action/action.ts';
import type { DeleteWorkloadInput, DeleteWorkloadOutput } from './delete-workload.schema.ts';

/** Deletes a workload with everything it owns: something an attacker deployed, or something that must not come back. */
export const deleteWorkload = declareAction<DeleteWorkloadInput, DeleteWorkloadOutput>()({
  name: 'deleteWorkload',
  title: 'Delete the workload and all its pods',
  effect: 'destructive',
  reach: 'workload',
  pool: 'cell',
  outcomes: { done: 'Deleted' },
  requires: ['workload'],
  timeouts: { planMs: 5_000, applyMs: 15_000, verifyMs: 180_000 },
  rights: [
    { apiGroup: '', resource: 'pods', verbs: ['list'] },
    { apiGroup: 'apps', resource: 'deployments', verbs: ['get', 'delete'] },
    { apiGroup: 'apps', resource: 'statefulsets', verbs: ['get', 'delete'] },
    { apiGroup: 'apps', resource: 'daemonsets', verbs: ['get', 'delete'] },
    { apiGroup: 'batch', resource: 'jobs', verbs: ['get', 'delete'] },
    { apiGroup: 'batch', resource: 'cronjobs', verbs: ['get', 'delete'] },
  ],
  verifiedBy:
    'The API server no longer knows the workload or the pods that it had, by their uids. It is `partial` while one runs on, because somebody let it go, or because it may take a long time to end.',
  undo: 'None: whoever deployed it can deploy it again.',
  example: {
    workload: { kind: 'Deployment', namespace: 'shop', name: 'miner' },
    suspect: { namespace: 'shop', name: 'cart-5d4c9b7f6-x2x7k', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' },
  },
});
