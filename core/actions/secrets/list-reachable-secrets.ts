import { declareAction } from '../../action/action.ts';
import type { ListReachableSecretsInput, ListReachableSecretsOutput } from './list-reachable-secrets.schema.ts';

/** Lists what the pod could have read: the blast radius of a credential theft. Names only; no value is ever read. */
export const listReachableSecrets = declareAction<ListReachableSecretsInput, ListReachableSecretsOutput>()({
  name: 'listReachableSecrets',
  title: 'List the Secrets that the pod could read',
  effect: 'read',
  reach: 'pod',
  pool: 'cell',
  requires: ['pod'],
  timeouts: { planMs: 5_000, applyMs: 60_000, verifyMs: 5_000 },
  rights: [
    { apiGroup: '', resource: 'pods', verbs: ['get'] },
    { apiGroup: '', resource: 'serviceaccounts', verbs: ['get'] },
    { apiGroup: 'authorization.k8s.io', resource: 'subjectaccessreviews', verbs: ['create'] },
  ],
  verifiedBy:
    'The API server itself answers, by SubjectAccessReviews for the account of the pod; what it could not be asked is listed.',
  undo: 'None: it changes nothing in the cluster.',
  example: { pod: { namespace: 'shop', name: 'cart-5d4c9b7f6-x2x7k', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' } },
});
