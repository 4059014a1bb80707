import { declareAction } from '../../action/action.ts';
import type { DrainNodeInput, DrainNodeOutput } from './drain-node.schema.ts';

/** Takes a node out of service and evicts what may leave it. It contains nothing: anyone who is root on the node stays there. */
export const drainNode = declareAction<DrainNodeInput, DrainNodeOutput>()({
  name: 'drainNode',
  title: 'Drain the node, within disruption budgets',
  effect: 'destructive',
  reach: 'node',
  pool: 'cell',
  outcomes: { done: 'NodeDrained' },
  requires: ['node'],
  timeouts: { planMs: 10_000, applyMs: 600_000, verifyMs: 180_000 },
  rights: [
    { apiGroup: '', resource: 'nodes', verbs: ['get', 'patch'] },
    { apiGroup: '', resource: 'pods', verbs: ['get', 'list'] },
    { apiGroup: '', resource: 'pods/eviction', verbs: ['create'] },
    { apiGroup: 'policy', resource: 'poddisruptionbudgets', verbs: ['list'] },
  ],
  verifiedBy:
    'The node is unschedulable, and none of the evicted pods is known any longer; it is `partial` while a budget holds one, or one may take longer than three minutes to end.',
  undo: 'None: containers that were ended do not come back. `kubectl uncordon` lets pods onto the node again.',
  example: { node: { name: 'worker-1' } },
});
