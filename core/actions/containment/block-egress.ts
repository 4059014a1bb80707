import { declareAction } from '../../action/action.ts';
import type { BlockEgressInput, BlockEgressOutput } from './block-egress.schema.ts';

/** Blocks some addresses for the pods of a workload, and leaves the rest reachable. */
export const blockEgress = declareAction<BlockEgressInput, BlockEgressOutput>()({
  name: 'blockEgress',
  title: 'Block the workload’s way out to these addresses',
  words: { undo: 'allow egress again', cannot: 'no egress can be blocked', held: 'cannot send out', ended: 'can send out again' },
  effect: 'reversible',
  reach: 'workload',
  pool: 'cell',
  contains: true,
  outcomes: { done: 'EgressBlocked', undone: 'EgressReleased' },
  requires: ['workload'],
  timeouts: { planMs: 5_000, applyMs: 10_000, verifyMs: 10_000 },
  rights: [
    { apiGroup: '', resource: 'pods', verbs: ['list'] },
    { apiGroup: 'apps', resource: 'deployments', verbs: ['get'] },
    { apiGroup: 'apps', resource: 'statefulsets', verbs: ['get'] },
    { apiGroup: 'apps', resource: 'daemonsets', verbs: ['get'] },
    { apiGroup: 'apps', resource: 'replicasets', verbs: ['get'] },
    { apiGroup: 'batch', resource: 'jobs', verbs: ['get'] },
    { apiGroup: 'networking.k8s.io', resource: 'networkpolicies', verbs: ['get', 'list', 'create', 'delete'] },
  ],
  verifiedBy:
    'The policy is read back; it is `partial` if another policy allows one of the addresses, or a pod uses the network of its node. Whether traffic is really refused needs a probe: without one it is `unverified`.',
  undo: 'Deletes the policy, if nobody has changed it since.',
  example: { workload: { kind: 'Deployment', namespace: 'shop', name: 'cart' }, to: ['203.0.113.7', '198.51.100.0/24'] },
});
