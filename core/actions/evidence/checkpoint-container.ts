import { declareAction } from '../../action/action.ts';
import type { CheckpointContainerInput, CheckpointContainerOutput } from './checkpoint-container.schema.ts';

/** The pod on the node that fetches the archive: what it is, and what admission restricts the account that creates it to. */
export const fetcher = { namePrefix: 'firebreak-fetch-', program: '/firebreak-tools', livesSeconds: 900 } as const;

/** Stores the memory of a container, with its processes as they are and what they have written: CRIU’s checkpoint, by the kubelet. */
export const checkpointContainer = declareAction<CheckpointContainerInput, CheckpointContainerOutput>()({
  name: 'checkpointContainer',
  title: 'Keep the container’s memory',
  effect: 'read',
  reach: 'pod',
  pool: 'forensics',
  storesEvidence: true,
  optIn: true,
  requires: ['pod'],
  timeouts: { planMs: 5_000, applyMs: 900_000, verifyMs: 600_000 },
  rights: [
    { apiGroup: '', resource: 'pods', verbs: ['get'] },
    { apiGroup: '', resource: 'nodes', verbs: ['get'] },
    { apiGroup: '', resource: 'nodes/checkpoint', verbs: ['create'] },
    { apiGroup: '', resource: 'pods', verbs: ['create', 'delete'], in: 'own namespace' },
    { apiGroup: '', resource: 'pods/exec', verbs: ['get', 'create'], in: 'own namespace' },
  ],
  verifiedBy:
    'The container is the same run before and after; what arrived has the hash that was taken on the node; the archive is removed from the node, and that is read back; each object is opened with the incident’s key and hashed again; the manifest’s signature is checked; the pod that fetched it is read back as gone.',
  undo: 'None: the container runs on, and nothing is left on the node.',
  example: {
    pod: { namespace: 'shop', name: 'cart-5d4c9b7f6-x2x7k', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' },
    container: { id: '3f2a9c41d0be', name: 'cart' },
  },
});
