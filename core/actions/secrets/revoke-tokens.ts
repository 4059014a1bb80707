import { declareAction } from '../../action/action.ts';
import type { RevokeTokensInput, RevokeTokensOutput } from './revoke-tokens.schema.ts';

/** Invalidates the tokens of a pod's service account. Kubernetes can only do this by ending what they are bound to; the plan says what each breaks. */
export const revokeTokens = declareAction<RevokeTokensInput, RevokeTokensOutput>()({
  name: 'revokeTokens',
  title: 'Revoke the tokens of the pod’s service account',
  effect: 'destructive',
  reach: 'namespace',
  pool: 'secrets',
  outcomes: { done: 'TokensRevoked' },
  requires: ['pod'],
  timeouts: { planMs: 10_000, applyMs: 60_000, verifyMs: 60_000 },
  rights: [
    { apiGroup: '', resource: 'pods', verbs: ['get', 'list', 'delete'] },
    { apiGroup: '', resource: 'secrets', verbs: ['list', 'delete'] },
    { apiGroup: '', resource: 'serviceaccounts', verbs: ['get', 'create', 'delete'] },
  ],
  verifiedBy: 'The pod, the Secrets and the account with the old uid are no longer known to the API server.',
  undo: 'None: a token that was revoked stays revoked.',
  example: {
    pod: { namespace: 'shop', name: 'cart-5d4c9b7f6-x2x7k', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' },
    account: 'cart',
    ways: ['pod', 'legacySecrets'],
  },
});
