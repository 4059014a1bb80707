import { declareAction } from '../../action/action.ts';
import type { CountConnectionsInput, CountConnectionsOutput } from './count-connections.schema.ts';
import { cutter } from './cut-connections.ts';

/** The pod on the node that counts, and what admission restricts the account that creates it to. */
export const counter = {
  namePrefix: 'firebreak-count-',
  program: cutter.program,
  option: '-count',
  livesSeconds: cutter.livesSeconds,
} as const;

/**
 * Counts the open connections of a pod, as its node tracks them. A pod of ours in the node's network reads the connection table, which needs CAP_NET_ADMIN, and
 * drops nothing; then it is deleted. If turned on, the checks whether a quarantine has helped use it, too.
 */
export const countConnections = declareAction<CountConnectionsInput, CountConnectionsOutput>()({
  name: 'countConnections',
  title: 'Count the connections that the pod has open',
  effect: 'read',
  reach: 'pod',
  pool: 'forensics',
  optIn: true,
  requires: ['pod'],
  timeouts: { planMs: 5_000, applyMs: 60_000, verifyMs: 20_000 },
  rights: [
    { apiGroup: '', resource: 'pods', verbs: ['get'] },
    { apiGroup: '', resource: 'pods', verbs: ['create', 'delete'], in: 'own namespace' },
  ],
  verifiedBy:
    'The node’s connection table: `applied` when it has entries of the pod, or of other pods there and none of this one. `unverified` when it has none of either, since the network may keep its table elsewhere (eBPF). The pod that counted is read back as gone.',
  undo: 'None: nothing is changed. The pod that counted is deleted.',
  example: { pod: { namespace: 'shop', name: 'cart-5d4c9b7f6-x2x7k', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' } },
});
