import { declareAction } from '../../action/action.ts';
import { inContainerRights } from '../in-container-rights.ts';
import type { SnapshotFilesystemInput, SnapshotFilesystemOutput } from './snapshot-filesystem.schema.ts';

/** Stores the suspect container's files: those changed since its start, or all. Sealed under the incident's key as they arrive. */
export const snapshotFilesystem = declareAction<SnapshotFilesystemInput, SnapshotFilesystemOutput>()({
  name: 'snapshotFilesystem',
  title: 'Keep the container’s files',
  effect: 'read',
  reach: 'pod',
  pool: 'forensics',
  storesEvidence: true,
  requires: ['pod'],
  timeouts: { planMs: 5_000, applyMs: 1_800_000, verifyMs: 600_000 },
  rights: inContainerRights,
  verifiedBy:
    'The container is the same run before and after; what arrived has the hash that the tools say they sent; each object is read back from the evidence store, opened with the incident’s key and hashed again; the manifest’s signature is checked.',
  undo: 'None: the tools exit on their own; their ephemeral container stays listed in the pod as long as the pod exists.',
  example: {
    pod: { namespace: 'shop', name: 'cart-5d4c9b7f6-x2x7k', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' },
    container: { id: '3f2a9c41d0be', name: 'cart' },
    maxSeconds: 300,
  },
});
