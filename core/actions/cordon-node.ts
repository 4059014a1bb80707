import { declareAction } from '../action.ts';
import type { CordonNodeInput, CordonNodeOutput } from './cordon-node.schema.ts';

/** Keeps new pods from a node. It contains nothing, and says so. */
export const cordonNode = declareAction<CordonNodeInput, CordonNodeOutput>()({
  name: 'cordonNode',
  title: 'Cordon the node',
  effect: 'reversible',
  reach: 'node',
  pool: 'cell',
  requires: ['node'],
  timeouts: { planMs: 5_000, applyMs: 10_000, verifyMs: 10_000 },
  rights: [{ apiGroup: '', resource: 'nodes', verbs: ['get', 'patch'] }],
  verifiedBy:
    'The node is read back. A cordon contains nothing: it is reported as `not contained`, with the Secrets that the pods on the node have.',
  undo: 'Makes the node schedulable again if it was before, when nobody has changed that since.',
  example: { node: 'worker-3' },
});
