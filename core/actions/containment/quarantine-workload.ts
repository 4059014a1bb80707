import { declareAction } from '../../action/action.ts';
import type { QuarantineWorkloadInput, QuarantineWorkloadOutput } from './quarantine-workload.schema.ts';

/** Cuts off every pod that a workload has now, each as `quarantinePod` does. Pods that it creates afterwards are not cut off. */
export const quarantineWorkload = declareAction<QuarantineWorkloadInput, QuarantineWorkloadOutput>()({
  name: 'quarantineWorkload',
  title: 'Quarantine all pods of the workload',
  words: { undo: 'release workload', held: 'quarantined', ended: 'has its network back' },
  effect: 'reversible',
  reach: 'workload',
  pool: 'cell',
  contains: true,
  outcomes: { done: 'Quarantined', undone: 'Released' },
  requires: ['workload'],
  timeouts: { planMs: 10_000, applyMs: 60_000, verifyMs: 20_000 },
  rights: [
    { apiGroup: '', resource: 'pods', verbs: ['get', 'list', 'patch'] },
    { apiGroup: '', resource: 'services', verbs: ['list'] },
    { apiGroup: 'networking.k8s.io', resource: 'networkpolicies', verbs: ['get', 'list', 'create', 'patch'] },
  ],
  verifiedBy:
    'Each pod and the policy are read back; it is `partial` while a policy still allows traffic or a pod was left out. Whether traffic is really refused needs a probe: without one it is `unverified`.',
  undo: 'Restores exactly the labels that each pod had, if nobody has changed any of them since.',
  example: { workload: { kind: 'Deployment', namespace: 'shop', name: 'cart' } },
});
