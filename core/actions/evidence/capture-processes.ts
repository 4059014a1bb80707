import { declareAction } from '../../action/action.ts';
import { inContainerRights } from '../in-container-rights.ts';
import type { CaptureProcessesInput, CaptureProcessesOutput } from './capture-processes.schema.ts';

/** Stores what runs in the suspect container: processes, what they have open, and the pod's sockets. */
export const captureProcesses = declareAction<CaptureProcessesInput, CaptureProcessesOutput>()({
  name: 'captureProcesses',
  title: 'Keep the container’s processes, open files and sockets',
  effect: 'read',
  reach: 'pod',
  pool: 'forensics',
  storesEvidence: true,
  requires: ['pod'],
  timeouts: { planMs: 5_000, applyMs: 120_000, verifyMs: 30_000 },
  rights: inContainerRights,
  verifiedBy:
    'The container is the same run before and after; each object is read back from the evidence store and hashed again; the manifest’s signature is checked.',
  undo: 'None: the tools exit on their own; their ephemeral container stays listed in the pod as long as the pod exists.',
  example: {
    pod: { namespace: 'shop', name: 'cart-5d4c9b7f6-x2x7k', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' },
    container: { id: '3f2a9c41d0be', name: 'cart' },
  },
});
