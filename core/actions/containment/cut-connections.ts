import { declareAction } from '../../action/action.ts';
import type { CutConnectionsInput, CutConnectionsOutput } from './cut-connections.schema.ts';

/** The pod on the node that cuts: what it is, and what admission restricts the account that creates it to. */
export const cutter = { namePrefix: 'firebreak-cut-', program: '/firebreak-cut', livesSeconds: 40 } as const;

/**
 * Ends the open connections of a quarantined pod: policies apply only to new ones. A pod of ours in its node's network, with only CAP_NET_ADMIN, drops them
 * from the connection table; then it is deleted.
 */
export const cutConnections = declareAction<CutConnectionsInput, CutConnectionsOutput>()({
  name: 'cutConnections',
  title: 'Cut the connections that the quarantined pod has open',
  effect: 'reversible',
  reach: 'pod',
  pool: 'forensics',
  momentary: true,
  optIn: true,
  outcomes: { done: 'ConnectionsCut' },
  requires: ['pod'],
  timeouts: { planMs: 5_000, applyMs: 60_000, verifyMs: 20_000 },
  rights: [
    { apiGroup: '', resource: 'pods', verbs: ['get'] },
    { apiGroup: '', resource: 'pods', verbs: ['create', 'delete'], in: 'own namespace' },
  ],
  verifiedBy:
    'The node’s connection table is read again after three seconds of dropping: `verified` when entries were dropped and no established connection came back, `unverified` when there was none to drop, since the network may keep its table elsewhere (eBPF). The pod that did it is read back as gone.',
  undo: 'Nothing is changed that could be undone: once the pod is released, it may open connections again.',
  example: { pod: { namespace: 'shop', name: 'cart-5d4c9b7f6-x2x7k', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' } },
});
