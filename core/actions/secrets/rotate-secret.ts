import { declareAction } from '../../action/action.ts';
import type { RotateSecretInput, RotateSecretOutput } from './rotate-secret.schema.ts';

/** Gives Secrets a new value under a new name, rolls what uses them, invalidates the old value at its provider, and keeps the new one from the suspect. */
export const rotateSecret = declareAction<RotateSecretInput, RotateSecretOutput>()({
  name: 'rotateSecret',
  title: 'Rotate the secrets that the pod could read',
  words: { does: 'rotate secrets', cannot: 'no secret can be rotated' },
  effect: 'destructive',
  reach: 'workload',
  pool: 'secrets',
  outcomes: { done: 'RotatedSecret' },
  requires: ['pod'],
  timeouts: { planMs: 10_000, applyMs: 180_000, verifyMs: 30_000 },
  rights: [
    { apiGroup: '', resource: 'pods', verbs: ['get', 'list'] },
    { apiGroup: '', resource: 'secrets', verbs: ['get', 'create', 'delete'] },
    { apiGroup: '', resource: 'serviceaccounts', verbs: ['list'] },
    { apiGroup: 'apps', resource: 'deployments', verbs: ['get', 'list', 'patch'] },
    { apiGroup: 'apps', resource: 'statefulsets', verbs: ['get', 'list', 'patch'] },
    { apiGroup: 'apps', resource: 'daemonsets', verbs: ['get', 'list', 'patch'] },
    { apiGroup: 'batch', resource: 'cronjobs', verbs: ['get', 'list', 'patch'] },
    { apiGroup: 'networking.k8s.io', resource: 'ingresses', verbs: ['list'] },
    { apiGroup: 'external-secrets.io', resource: 'externalsecrets', verbs: ['get', 'patch'] },
    { apiGroup: 'cert-manager.io', resource: 'certificates', verbs: ['get', 'patch'] },
    { apiGroup: 'cert-manager.io', resource: 'certificates/status', verbs: ['patch'] },
    { apiGroup: 'authorization.k8s.io', resource: 'subjectaccessreviews', verbs: ['create'] },
  ],
  verifiedBy:
    'Every user has rolled out with the new value, and the suspect pod does not refer to it. At a provider: the new value is accepted, and the old one refused. From cert-manager: the key is a different one.',
  undo: 'None: the old value counts as stolen.',
  example: { suspect: { namespace: 'shop', name: 'cart-5d4c9b7f6-x2x7k', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' } },
});
