import { declareAction } from '../../action/action.ts';
import type { RevokeServiceAccountInput, RevokeServiceAccountOutput } from './revoke-service-account.schema.ts';

/** Removes a ServiceAccount from every binding that names it: its tokens stay valid, but grant nothing. */
export const revokeServiceAccount = declareAction<RevokeServiceAccountInput, RevokeServiceAccountOutput>()({
  name: 'revokeServiceAccount',
  title: 'Revoke the rights of the ServiceAccount',
  words: { does: 'revoke account', undo: 'restore account rights', held: 'rights revoked', ended: 'has its rights back' },
  effect: 'reversible',
  reach: 'cluster',
  pool: 'cell',
  contains: true,
  optIn: true,
  holds: [
    { kind: 'RoleBinding', apiGroup: 'rbac.authorization.k8s.io', resource: 'rolebindings' },
    { kind: 'ClusterRoleBinding', apiGroup: 'rbac.authorization.k8s.io', resource: 'clusterrolebindings', clusterWide: true },
  ],
  outcomes: { done: 'AccountRevoked', undone: 'AccountRestored' },
  requires: [],
  timeouts: { planMs: 15_000, applyMs: 30_000, verifyMs: 15_000 },
  rights: [
    { apiGroup: '', resource: 'serviceaccounts', verbs: ['get'] },
    { apiGroup: 'rbac.authorization.k8s.io', resource: 'rolebindings', verbs: ['get', 'list', 'watch', 'patch'] },
    { apiGroup: 'rbac.authorization.k8s.io', resource: 'clusterrolebindings', verbs: ['get', 'list', 'watch', 'patch'] },
    // The API server only lets a caller write a binding that has all its rights, or this one. Both removing and restoring need it.
    { apiGroup: 'rbac.authorization.k8s.io', resource: 'roles', verbs: ['bind'] },
    { apiGroup: 'rbac.authorization.k8s.io', resource: 'clusterroles', verbs: ['bind'] },
  ],
  verifiedBy:
    'All bindings of the cluster are read back; it is `partial` while one gives rights to a group that the account is in, not counting those that every cluster has.',
  undo: 'Puts the account back into each binding, at its place, if nobody has changed the subjects of any of them since.',
  example: { serviceAccount: { namespace: 'shop', name: 'cart' } },
});
