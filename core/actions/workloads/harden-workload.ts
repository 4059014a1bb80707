import { declareAction } from '../../action/action.ts';
import type { HardenWorkloadInput, HardenWorkloadOutput } from './harden-workload.schema.ts';

/** Removes what a workload does not need to be able to do, and rolls it; if its pods do not become ready, it is restored. */
export const hardenWorkload = declareAction<HardenWorkloadInput, HardenWorkloadOutput>()({
  name: 'hardenWorkload',
  title: 'Harden the workload, and roll it back if it does not become ready',
  effect: 'destructive',
  reach: 'workload',
  pool: 'cell',
  outcomes: { done: 'Hardened' },
  requires: ['workload'],
  timeouts: { planMs: 10_000, applyMs: 240_000, verifyMs: 60_000 },
  rights: [
    { apiGroup: '', resource: 'pods', verbs: ['list'] },
    { apiGroup: 'apps', resource: 'deployments', verbs: ['get', 'patch'] },
    { apiGroup: 'apps', resource: 'statefulsets', verbs: ['get', 'patch'] },
    { apiGroup: 'apps', resource: 'daemonsets', verbs: ['get', 'patch'] },
  ],
  verifiedBy:
    'All its pods are of the hardened template and available. If they are not available in time, the touched fields are restored, and the step has failed. It is `partial` while an old pod is being ended.',
  undo: 'None: containers that were ended do not come back. The fields are restored automatically if the workload does not become ready.',
  example: {
    workload: { kind: 'Deployment', namespace: 'shop', name: 'cart' },
    suspect: { namespace: 'shop', name: 'cart-5d4c9b7f6-x2x7k', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' },
    leave: ['readOnlyRoot'],
  },
});
