import { declareAction } from '../../action/action.ts';
import type { SnapshotPodStateInput, SnapshotPodStateOutput } from './snapshot-pod-state.schema.ts';

/** Stores what the API server knows about a pod as evidence: its YAML without secrets, its events, its logs. */
export const snapshotPodState = declareAction<SnapshotPodStateInput, SnapshotPodStateOutput>()({
  name: 'snapshotPodState',
  title: 'Keep the pod’s state as evidence',
  effect: 'read',
  reach: 'pod',
  pool: 'cell',
  storesEvidence: true,
  requires: ['pod'],
  timeouts: { planMs: 5_000, applyMs: 60_000, verifyMs: 10_000 },
  rights: [
    { apiGroup: '', resource: 'pods', verbs: ['get'] },
    { apiGroup: '', resource: 'pods/log', verbs: ['get'] },
    { apiGroup: '', resource: 'events', verbs: ['list'] },
  ],
  verifiedBy: 'Each object is read back from the evidence store and hashed again; the manifest’s signature is checked.',
  undo: 'Nothing to undo: it only reads.',
  example: { pod: { namespace: 'shop', name: 'cart-5d4c9b7f6-x2x7k', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' } },
});
