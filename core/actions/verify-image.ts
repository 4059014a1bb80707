import { declareAction } from '../action/action.ts';
import type { VerifyImageInput, VerifyImageOutput } from './verify-image.schema.ts';

/** Checks whether the running images are signed by somebody trusted for their repository. Runs in the pool that may read the pull secrets. */
export const verifyImage = declareAction<VerifyImageInput, VerifyImageOutput>()({
  name: 'verifyImage',
  title: 'Check the signature of the image that runs',
  effect: 'read',
  reach: 'pod',
  pool: 'secrets',
  requires: ['pod'],
  timeouts: { planMs: 5_000, applyMs: 60_000, verifyMs: 5_000 },
  rights: [
    { apiGroup: '', resource: 'pods', verbs: ['get'] },
    { apiGroup: '', resource: 'serviceaccounts', verbs: ['get'] },
    { apiGroup: '', resource: 'secrets', verbs: ['get'] },
  ],
  verifiedBy:
    'Signatures in both formats of cosign, checked against the keys, identities and roots of the configuration. A registry that does not answer makes it `unknown`, never `unsigned`.',
  undo: 'None: it changes nothing in the cluster.',
  example: { pod: { namespace: 'shop', name: 'cart-5d4c9b7f6-x2x7k', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' } },
});
