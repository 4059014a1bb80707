import { declareAction } from '../../action/action.ts';
import type { CollectLogsInput, CollectLogsOutput } from './collect-logs.schema.ts';

/** Stores the logs of all containers of a pod, and of their previous runs: more of them than `snapshotPodState` takes in a hurry. */
export const collectLogs = declareAction<CollectLogsInput, CollectLogsOutput>()({
  name: 'collectLogs',
  title: 'Keep the logs of all containers of the pod',
  effect: 'read',
  reach: 'pod',
  pool: 'cell',
  storesEvidence: true,
  requires: ['pod'],
  timeouts: { planMs: 5_000, applyMs: 120_000, verifyMs: 60_000 },
  rights: [
    { apiGroup: '', resource: 'pods', verbs: ['get'] },
    { apiGroup: '', resource: 'pods/log', verbs: ['get'] },
  ],
  verifiedBy: 'Each object is read back from the evidence store and hashed again; the manifest’s signature is checked.',
  undo: 'None: it changes nothing in the cluster.',
  example: { pod: { namespace: 'shop', name: 'cart-5d4c9b7f6-x2x7k', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' } },
});
