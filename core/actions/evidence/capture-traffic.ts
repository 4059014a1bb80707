import { declareAction } from '../../action/action.ts';
import { inContainerRights } from '../in-container-rights.ts';
import type { CaptureTrafficInput, CaptureTrafficOutput } from './capture-traffic.schema.ts';

/** Captures the pod's network traffic for a time, as a pcap file. */
export const captureTraffic = declareAction<CaptureTrafficInput, CaptureTrafficOutput>()({
  name: 'captureTraffic',
  title: 'Keep the pod’s traffic of the next seconds',
  effect: 'read',
  reach: 'pod',
  pool: 'forensics',
  storesEvidence: true,
  requires: ['pod'],
  timeouts: { planMs: 5_000, applyMs: 420_000, verifyMs: 60_000 },
  rights: inContainerRights,
  verifiedBy:
    'The hash that the tools took of the stream is that of what was kept; each object is read back from the evidence store and hashed again; the manifest’s signature is checked.',
  undo: 'None: the tools exit on their own; their ephemeral container stays listed in the pod as long as the pod exists.',
  example: {
    pod: { namespace: 'shop', name: 'cart-5d4c9b7f6-x2x7k', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' },
    container: { id: '3f2a9c41d0be', name: 'cart' },
    seconds: 30,
  },
});
