import type { Right } from '../../core/action/action.ts';
import type { Pausing } from '../../core/action/pausing.ts';
import { pausingRights, skipReconcile } from '../../integrations/kubernetes/gitops/declarers.ts';
import { type Account, onlyOwnAnnotations, ownAnnotations, policy, same, sameBut } from './policy.ts';

/** The parts of `actions.pausing` that need separate rights. */
export const pausers: readonly (keyof Pausing)[] = ['argocd', 'flux'];

/** Returns which of them a configuration turns on. */
export function pausersOf({ argocd, flux }: Pausing): readonly (keyof Pausing)[] {
  return [...(argocd ? (['argocd'] as const) : []), ...(flux ? (['flux'] as const) : [])];
}

/**
 * Additional rights of a cell that pauses what declares workloads. `patch applications` alone would let it make Argo CD deploy anything anywhere: with the
 * policy it may set only one Argo CD annotation, and its own annotations.
 */
export function pausingDocuments(
  pauser: keyof Pausing,
  account: Account,
  rulesOf: (rights: readonly Right[]) => readonly object[],
): readonly object[] {
  const name = `${account.name}-${pauser}`;
  const metadata = { name, labels: { 'app.kubernetes.io/name': 'firebreak', 'app.kubernetes.io/component': 'cell' } };
  const apiVersion = 'rbac.authorization.k8s.io/v1';
  return [
    { apiVersion, kind: 'ClusterRole', metadata, rules: rulesOf(pausingRights(pauser)) },
    {
      apiVersion,
      kind: 'ClusterRoleBinding',
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
      subjects: [{ kind: 'ServiceAccount', name: account.name, namespace: account.namespace }],
    },
    ...policy({ name, account, variables: ownAnnotations, ...narrowed[pauser] }),
  ];
}

const sameMetadata = same('object.metadata.?labels', 'object.metadata.?finalizers', 'object.metadata.?ownerReferences');

const narrowed: Readonly<Record<keyof Pausing, { readonly rule: object; readonly validations: readonly object[] }>> = {
  argocd: {
    rule: { apiGroups: ['argoproj.io'], apiVersions: ['*'], operations: ['UPDATE'], resources: ['applications'] },
    validations: [
      {
        expression: `${sameMetadata} && ${sameBut('object', 'oldObject', 'metadata')}`,
        message: 'Firebreak may change annotations of an application, nothing else',
      },
      onlyOwnAnnotations('an application', { more: [skipReconcile], besides: 'the one that pauses it' }),
    ],
  },
  flux: {
    rule: { apiGroups: ['helm.toolkit.fluxcd.io'], apiVersions: ['*'], operations: ['UPDATE'], resources: ['helmreleases'] },
    validations: [
      {
        expression: `${sameMetadata} && ${sameBut('object', 'oldObject', 'metadata', 'spec')} && ${sameBut('object.spec', 'oldObject.spec', 'suspend')}`,
        message: 'Firebreak may suspend and resume a Helm release, nothing else',
      },
      onlyOwnAnnotations('a Helm release'),
    ],
  },
};
