import { declareAction } from '../../action/action.ts';
import type { EvictPodInput, EvictPodOutput } from './evict-pod.schema.ts';

/** Evicts one pod, by uid, if its disruption budgets allow it: the polite way, for pods that are not the attacker’s. */
export const evictPod = declareAction<EvictPodInput, EvictPodOutput>()({
  name: 'evictPod',
  title: 'Evict the pod, within its disruption budgets',
  effect: 'destructive',
  reach: 'pod',
  pool: 'cell',
  endsTarget: true,
  outcomes: { done: 'Evicted' },
  requires: ['pod'],
  timeouts: { planMs: 5_000, applyMs: 60_000, verifyMs: 180_000 },
  rights: [
    { apiGroup: '', resource: 'pods', verbs: ['get'] },
    { apiGroup: '', resource: 'pods/eviction', verbs: ['create'] },
    { apiGroup: 'policy', resource: 'poddisruptionbudgets', verbs: ['list'] },
  ],
  verifiedBy:
    'The API server no longer knows a pod with this uid. It is `partial` if its own grace time is longer than three minutes: its containers run on until then.',
  undo: 'None: a container that was ended does not come back.',
  example: { pod: { namespace: 'shop', name: 'cart-5d4c9b7f6-x2x7k', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' } },
});
