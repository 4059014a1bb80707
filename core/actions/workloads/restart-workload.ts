import { declareAction } from '../../action/action.ts';
import type { RestartWorkloadInput, RestartWorkloadOutput } from './restart-workload.schema.ts';

/** Rolls all pods of a workload: starts new ones from the same image and configuration, and ends the old ones. */
export const restartWorkload = declareAction<RestartWorkloadInput, RestartWorkloadOutput>()({
  name: 'restartWorkload',
  title: 'Restart all pods of the workload',
  effect: 'destructive',
  reach: 'workload',
  pool: 'cell',
  outcomes: { done: 'Restarted' },
  requires: ['workload'],
  timeouts: { planMs: 5_000, applyMs: 15_000, verifyMs: 210_000 },
  rights: [
    { apiGroup: '', resource: 'pods', verbs: ['list'] },
    { apiGroup: 'apps', resource: 'deployments', verbs: ['get', 'patch'] },
    { apiGroup: 'apps', resource: 'statefulsets', verbs: ['get', 'patch'] },
    { apiGroup: 'apps', resource: 'daemonsets', verbs: ['get', 'patch'] },
  ],
  verifiedBy:
    'The workload says that all its pods are of the new generation and available. It is `partial` while an old one is being ended.',
  undo: 'None: containers that were ended do not come back.',
  example: {
    workload: { kind: 'Deployment', namespace: 'shop', name: 'cart' },
    suspect: { namespace: 'shop', name: 'cart-5d4c9b7f6-x2x7k', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' },
  },
});
