import type { Right } from '../../core/action/action.ts';
import type { KubernetesApi } from './client.ts';

/** One right, as an access review asks for it. */
export interface AskedRight {
  readonly group?: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly verb: string;
  readonly namespace?: string;
  readonly name?: string;
}

/** Whether our own account has a right. Every account may ask this about itself. */
export async function hasRight(options: {
  readonly api: KubernetesApi;
  readonly right: AskedRight;
  readonly signal?: AbortSignal;
}): Promise<boolean> {
  const { api, right, signal } = options;
  const { status } = await api.json<{ readonly status?: { readonly allowed?: boolean } }>({
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: right },
    },
    what: 'ask for our own rights',
    ...(signal && { signal }),
  });
  return status?.allowed === true;
}

/** The right to ask what other accounts may do. */
export const accountReviewRight: Right = {
  apiGroup: 'authorization.k8s.io',
  resource: 'subjectaccessreviews',
  verbs: ['create'],
};

/**
 * Whether an account has a right, according to the API server's own authorizers. `SelfSubjectRulesReview` answers only for our own account.
 * https://kubernetes.io/docs/reference/access-authn-authz/authorization/
 */
export async function mayAccount(options: {
  readonly api: KubernetesApi;
  /** Namespace and name of a ServiceAccount. */
  readonly account: { readonly namespace: string; readonly name: string };
  readonly right: AskedRight;
  readonly signal: AbortSignal;
}): Promise<boolean> {
  const { api, account, right, signal } = options;
  const { status } = await api.json<{ readonly status?: { readonly allowed?: boolean } }>({
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: {
        resourceAttributes: right,
        user: `system:serviceaccount:${account.namespace}:${account.name}`,
        groups: ['system:serviceaccounts', `system:serviceaccounts:${account.namespace}`, 'system:authenticated'],
      },
    },
    what: 'create subjectaccessreviews',
    signal,
  });
  return status?.allowed === true;
}
