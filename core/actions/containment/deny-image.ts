import { declareAction } from '../../action/action.ts';
import type { DenyImageInput, DenyImageOutput } from './deny-image.schema.ts';

/** Prevents pods with these images from being created. Running pods continue until they end, and then cannot be recreated. */
export const denyImage = declareAction<DenyImageInput, DenyImageOutput>()({
  name: 'denyImage',
  title: 'Deny new pods of these images',
  words: { undo: 'allow image again', held: 'denied', ended: 'may run again' },
  effect: 'reversible',
  reach: 'cluster',
  pool: 'cell',
  optIn: true,
  // A binding is removed before its policy.
  holds: [
    {
      kind: 'ValidatingAdmissionPolicyBinding',
      apiGroup: 'admissionregistration.k8s.io',
      resource: 'validatingadmissionpolicybindings',
      clusterWide: true,
    },
    {
      kind: 'ValidatingAdmissionPolicy',
      apiGroup: 'admissionregistration.k8s.io',
      resource: 'validatingadmissionpolicies',
      clusterWide: true,
    },
  ],
  outcomes: { done: 'ImageDenied', undone: 'ImageAllowed' },
  requires: [],
  timeouts: { planMs: 5_000, applyMs: 10_000, verifyMs: 10_000 },
  rights: [
    {
      apiGroup: 'admissionregistration.k8s.io',
      resource: 'validatingadmissionpolicies',
      verbs: ['get', 'list', 'watch', 'create', 'delete'],
    },
    {
      apiGroup: 'admissionregistration.k8s.io',
      resource: 'validatingadmissionpolicybindings',
      verbs: ['get', 'list', 'watch', 'create', 'delete'],
    },
  ],
  verifiedBy:
    'Policy and binding are read back. Admission sees references as they are written: if only a tag or only a digest is given, it is `partial`.',
  undo: 'Deletes binding and policy, if nobody has changed either since.',
  example: {
    images: ['registry.example/shop/cart:1.4@sha256:8d5d0c46dcd6dbbcdb3e8c3a0a0ab9bb8b8ccd2a1c6ba2d1f4a5ad0c4b66d0a1'],
    namespace: 'shop',
  },
});
