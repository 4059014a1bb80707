import { declareAction } from '../../action/action.ts';
import type { RollbackWorkloadInput, RollbackWorkloadOutput } from './rollback-workload.schema.ts';

/** Gives a Deployment the pod template of one of its own earlier ReplicaSets, and rolls it. */
export const rollbackWorkload = declareAction<RollbackWorkloadInput, RollbackWorkloadOutput>()({
  name: 'rollbackWorkload',
  title: 'Roll the workload back to the previous revision',
  effect: 'destructive',
  reach: 'workload',
  // This pool's account may already write pod templates. The cell's may not, and admission enforces that.
  pool: 'secrets',
  outcomes: { done: 'RolledBack' },
  requires: ['workload'],
  timeouts: { planMs: 5_000, applyMs: 15_000, verifyMs: 210_000 },
  rights: [
    { apiGroup: '', resource: 'pods', verbs: ['list'] },
    { apiGroup: 'apps', resource: 'deployments', verbs: ['get', 'patch'] },
    { apiGroup: 'apps', resource: 'replicasets', verbs: ['list'] },
  ],
  verifiedBy:
    'The Deployment has the earlier template, and says that all its pods are of it and available. It is `partial` while an old one is being ended.',
  undo: 'None: containers that were ended do not come back. Rolling forward again is a rollback to the other revision.',
  example: {
    workload: { kind: 'Deployment', namespace: 'shop', name: 'cart' },
    suspect: { namespace: 'shop', name: 'cart-5d4c9b7f6-x2x7k', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' },
  },
});
