import { declareAction } from '../../action/action.ts';
import type { ScaleToZeroInput, ScaleToZeroOutput } from './scale-to-zero.schema.ts';

/** Ends every pod of a Deployment or StatefulSet, and keeps the replica count. */
export const scaleToZero = declareAction<ScaleToZeroInput, ScaleToZeroOutput>()({
  name: 'scaleToZero',
  title: 'Scale the workload to zero',
  words: { does: 'scale workload to zero' },
  effect: 'destructive',
  reach: 'workload',
  pool: 'cell',
  holds: [
    { kind: 'Deployment', apiGroup: 'apps', resource: 'deployments' },
    { kind: 'StatefulSet', apiGroup: 'apps', resource: 'statefulsets' },
  ],
  outcomes: { done: 'ScaledToZero', undone: 'ScaledBack' },
  requires: ['pod', 'workload'],
  timeouts: { planMs: 5_000, applyMs: 10_000, verifyMs: 60_000 },
  rights: [
    { apiGroup: '', resource: 'pods', verbs: ['get', 'list'] },
    { apiGroup: 'apps', resource: 'deployments', verbs: ['get', 'list', 'watch', 'patch'] },
    { apiGroup: 'apps', resource: 'statefulsets', verbs: ['get', 'list', 'watch', 'patch'] },
    { apiGroup: 'autoscaling', resource: 'horizontalpodautoscalers', verbs: ['list'] },
    { apiGroup: 'policy', resource: 'poddisruptionbudgets', verbs: ['list'] },
  ],
  verifiedBy:
    'The workload is read back, and none of its pods is left: those that it had before, by their uids, and those that its selector selects. It is `partial` while one keeps running, for example in a long grace time.',
  undo: 'Restores the number of replicas, if nobody has changed it since. The pods that then start are new ones. What `actions.gitops` has paused with it is no longer paused.',
  example: {
    workload: { kind: 'Deployment', namespace: 'shop', name: 'cart' },
    suspect: { namespace: 'shop', name: 'cart-5d4c9b7f6-x2x7k', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' },
  },
});
