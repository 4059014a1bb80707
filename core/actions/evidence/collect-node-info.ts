import { declareAction } from '../../action/action.ts';
import type { CollectNodeInfoInput, CollectNodeInfoOutput } from './collect-node-info.schema.ts';

/** Stores what the API server knows about a node, without touching it: nothing runs there, and the kubelet is not contacted. */
export const collectNodeInfo = declareAction<CollectNodeInfoInput, CollectNodeInfoOutput>()({
  name: 'collectNodeInfo',
  title: 'Keep what is known about the node as evidence',
  effect: 'read',
  reach: 'node',
  pool: 'cell',
  storesEvidence: true,
  requires: ['node'],
  timeouts: { planMs: 5_000, applyMs: 60_000, verifyMs: 10_000 },
  rights: [
    { apiGroup: '', resource: 'nodes', verbs: ['get'] },
    { apiGroup: '', resource: 'pods', verbs: ['list'] },
    { apiGroup: '', resource: 'events', verbs: ['list'] },
    { apiGroup: 'coordination.k8s.io', resource: 'leases', verbs: ['get'] },
  ],
  verifiedBy: 'Each object is read back from the evidence store and hashed again; the manifest’s signature is checked.',
  undo: 'None: it changes nothing in the cluster.',
  example: { node: 'worker-3' },
});
