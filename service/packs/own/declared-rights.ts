import type { Right } from '../../../core/action/action.ts';
import type { OwnCall } from '../../../core/action/own-implementation.ts';
import { refuse } from '../../../core/action/own-implementation.ts';
import type { KubernetesCall } from '../../../integrations/kubernetes/call.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { KubernetesError } from '../../../integrations/kubernetes/client-error.ts';

/** How an action of a pack names the API server, wherever it is. */
const apiServer = 'https://kubernetes.default.svc';

export function isForApiServer(address: string): boolean {
  return URL.canParse(address) && new URL(address).origin === apiServer;
}

const object =
  /^\/(?:api\/v1|apis\/(?<group>[a-z0-9.-]+)\/v[a-z0-9]+)\/(?:namespaces\/(?<namespace>[a-z0-9-]+)\/)?(?<resource>[a-z]+)(?:\/(?<name>[a-z0-9.:-]+)(?:\/(?<subresource>[a-z]+))?)?$/;

/** What a request to the API server does, as rights name it; undefined if it is none that an action may make. */
function rightFor(method: KubernetesCall['method'], path: string) {
  const { group: apiGroup = '', namespace, resource, name, subresource } = object.exec(path)?.groups ?? {};
  // `/api/v1/namespaces/shop` is the namespace itself.
  const found = resource === undefined ? undefined : subresource === undefined ? resource : `${resource}/${subresource}`;
  const verbs = { GET: name === undefined ? 'list' : 'get', POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };
  const isWhole = name === undefined && method !== 'GET' && method !== 'POST';
  return found === undefined || isWhole ? undefined : { apiGroup, resource: found, verb: verbs[method], namespace };
}

const patches = {
  'application/merge-patch+json': 'merge',
  'application/json-patch+json': 'json',
  'application/apply-patch+yaml': 'apply',
  'application/strategic-merge-patch+json': 'strategic',
} as const;

/**
 * Sends the requests of one action to the API server with the account of its pool: only those that its own rights name, whatever the account may do for other
 * packs. The pack never sees the account's token.
 */
export function ownCluster(
  api: KubernetesApi,
  { rights, ownNamespace }: { readonly rights: readonly Right[]; readonly ownNamespace: string | undefined },
  signal: AbortSignal,
): OwnCall['http'] {
  return async ({ method, url, headers = {}, body }) => {
    const { pathname: path, searchParams: query } = new URL(url);
    const asked = rightFor(method, path);
    const isDeclared = rights.some(
      ({ apiGroup, resource, verbs, in: only }) =>
        asked !== undefined &&
        apiGroup === asked.apiGroup &&
        resource === asked.resource &&
        verbs.includes(asked.verb) &&
        (only === undefined || (asked.namespace !== undefined && asked.namespace === ownNamespace)),
    );
    if (!asked || !isDeclared || query.has('watch'))
      refuse(`${method} ${path}: the action does not declare a right to do this in the cluster`);
    const type = Object.entries(headers).find(([name]) => name.toLowerCase() === 'content-type')?.[1];
    const patch = Object.entries(patches).find(([name]) => name === type)?.[1] ?? 'merge';
    const what = `${asked.verb} ${asked.resource}`;
    try {
      const found: unknown = await api.json({
        ...{ method, path, query, body, what, signal, timeoutMs: 30_000 },
        ...(method === 'PATCH' && { patch }),
      });
      return { status: 200, headers: {}, body: found };
    } catch (error) {
      if (!(error instanceof KubernetesError) || error.status < 400 || error.status === 429 || error.status >= 500) throw error;
      return { status: error.status, headers: {}, body: { reason: error.reason } };
    }
  };
}
