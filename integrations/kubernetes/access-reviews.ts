import { type KubernetesApi, pathOf } from './client.ts';

/** One thing that somebody may or may not do, as the API server is asked about it. */
export interface Access {
  readonly verb: string;
  readonly group?: string;
  readonly resource: string;
  readonly subresource?: string;
  /** Absent: in all namespaces. */
  readonly namespace?: string;
  readonly name?: string;
}

/**
 * Whether an account may do this, by the API server's own authorizers. `SelfSubjectRulesReview` answers for us, not for others.
 * https://kubernetes.io/docs/reference/access-authn-authz/authorization/
 */
export async function mayAccount(options: {
  readonly api: KubernetesApi;
  /** Namespace and name of a ServiceAccount. */
  readonly account: { readonly namespace: string; readonly name: string };
  readonly access: Access;
  readonly signal: AbortSignal;
}): Promise<boolean> {
  const { api, account, access, signal } = options;
  const { status } = await api.json<{ readonly status?: { readonly allowed?: boolean } }>({
    method: 'POST',
    path: pathOf({ group: 'authorization.k8s.io', resource: 'subjectaccessreviews' }),
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: {
        resourceAttributes: access,
        user: `system:serviceaccount:${account.namespace}:${account.name}`,
        groups: ['system:serviceaccounts', `system:serviceaccounts:${account.namespace}`, 'system:authenticated'],
      },
    },
    what: 'create subjectaccessreviews',
    signal,
  });
  return status?.allowed === true;
}

/** Whether we ourselves may do this. Everybody may ask. */
export async function mayWe(options: {
  readonly api: KubernetesApi;
  readonly access: Access;
  readonly signal?: AbortSignal;
}): Promise<boolean> {
  const { api, access, signal } = options;
  const { status } = await api.json<{ readonly status?: { readonly allowed?: boolean } }>({
    method: 'POST',
    path: pathOf({ group: 'authorization.k8s.io', resource: 'selfsubjectaccessreviews' }),
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: access },
    },
    what: 'create selfsubjectaccessreviews',
    ...(signal && { signal }),
  });
  return status?.allowed === true;
}
