import { declareAction } from '../../action/action.ts';
import type { QuarantinePodInput, QuarantinePodOutput } from './quarantine-pod.schema.ts';

/** Cuts one pod off: the standing deny-all policy selects it, and its own labels, by which everything else finds it, are removed. */
export const quarantinePod = declareAction<QuarantinePodInput, QuarantinePodOutput>()({
  name: 'quarantinePod',
  title: 'Quarantine the pod',
  words: { undo: 'release pod', held: 'quarantined', ended: 'has its network back' },
  effect: 'reversible',
  reach: 'pod',
  pool: 'cell',
  contains: true,
  outcomes: { done: 'Quarantined', undone: 'Released' },
  requires: ['pod'],
  timeouts: { planMs: 5_000, applyMs: 10_000, verifyMs: 10_000 },
  rights: [
    { apiGroup: '', resource: 'pods', verbs: ['get', 'patch'] },
    { apiGroup: '', resource: 'services', verbs: ['list'] },
    { apiGroup: 'networking.k8s.io', resource: 'networkpolicies', verbs: ['get', 'list', 'create', 'patch'] },
  ],
  verifiedBy:
    'The pod and the policy are read back; policies that still select the pod are listed. Whether traffic is really refused is for `probeQuarantine` to try: this step is `unverified`.',
  undo: 'Restores exactly the labels that the pod had, if nobody has changed them since.',
  example: { pod: { namespace: 'shop', name: 'cart-5d4c9b7f6-x2x7k', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' } },
});
