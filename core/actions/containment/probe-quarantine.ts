import { declareAction } from '../../action/action.ts';
import type { ProbeQuarantineInput, ProbeQuarantineOutput } from './probe-quarantine.schema.ts';

/** The pods that a probe creates: what they are, and what admission restricts the account that creates them to. */
export const probe = { namePrefix: 'firebreak-probe-', program: '/firebreak-tools', livesSeconds: 60 } as const;

/** Tries to connect to a quarantined pod, and from inside it, alongside a control that must succeed. */
export const probeQuarantine = declareAction<ProbeQuarantineInput, ProbeQuarantineOutput>()({
  name: 'probeQuarantine',
  title: 'Test with connections whether the quarantine is enforced',
  effect: 'read',
  reach: 'pod',
  pool: 'forensics',
  optIn: true,
  requires: ['pod'],
  timeouts: { planMs: 5_000, applyMs: 120_000, verifyMs: 10_000 },
  rights: [
    { apiGroup: '', resource: 'pods', verbs: ['get'] },
    { apiGroup: '', resource: 'pods', verbs: ['create', 'delete'], in: 'own namespace' },
    { apiGroup: '', resource: 'pods/ephemeralcontainers', verbs: ['patch'] },
    { apiGroup: '', resource: 'pods/exec', verbs: ['get', 'create'] },
  ],
  verifiedBy:
    '`verified` when the suspect does not answer one of two Firebreak pods and gets no answer from the other, while these two reach each other and still do at the end. `partial` when a connection succeeded, otherwise `unverified` with the reason.',
  undo: 'None: its pods are deleted, and read back as gone; the ephemeral container stays listed in the pod as long as the pod exists.',
  example: { pod: { namespace: 'shop', name: 'cart-5d4c9b7f6-x2x7k', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' } },
});
