import { declareAction } from '../../action/action.ts';
import type { CordonNodeInput, CordonNodeOutput } from './cordon-node.schema.ts';

/** Keeps new pods off a node, which contains nothing, and reports that; also has its provider cut it off, if a hook for that is configured. */
export const cordonNode = declareAction<CordonNodeInput, CordonNodeOutput>()({
  name: 'cordonNode',
  title: 'Cordon the node',
  words: { undo: 'uncordon node', held: 'cordoned', ended: 'takes new pods again' },
  effect: 'reversible',
  reach: 'node',
  pool: 'cell',
  holds: [{ kind: 'Node', apiGroup: '', resource: 'nodes', clusterWide: true }],
  outside:
    'if actions.nodeIsolation is configured, the provider may still keep this node off its network, and is not asked from here: release it there too',
  outcomes: { done: 'NodeCordoned', undone: 'NodeUncordoned' },
  requires: ['node'],
  timeouts: { planMs: 5_000, applyMs: 40_000, verifyMs: 75_000 },
  rights: [{ apiGroup: '', resource: 'nodes', verbs: ['get', 'list', 'watch', 'patch'] }],
  verifiedBy:
    'The node is read back. A cordon contains nothing: it is reported as `not contained`, with the Secrets that the pods on the node have. With a provider’s hook (`actions.nodeIsolation`) it is `contained at the provider` once the provider itself has read back that the node is isolated, otherwise `unverified: not contained`.',
  undo: 'Makes the node schedulable again if it was before and nobody has changed that since, and has the provider end its isolation.',
  example: { node: 'worker-3' },
});
