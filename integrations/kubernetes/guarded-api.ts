import type { KubernetesApi } from './client.ts';

/** Subresources on which even a GET acts: it runs a command, connects into a container, or sends a request to a kubelet or a Service. */
const actingOn = /\/(?:exec|attach|portforward|proxy)(?:\/|$)/;

/** A POST that stores nothing: it asks for the rights of an account, or for its name. https://kubernetes.io/docs/reference/access-authn-authz/authorization/ */
const asksForRights = /^\/apis\/(?:authorization|authentication)\.k8s\.io\/v1\/(?:self)?subject(?:access)?reviews$/;

/** A call that would change something, or act in a container. */
interface ActingCall {
  readonly path: string;
  readonly what: string;
}

/** Returns the namespace of an API path; undefined for an object of the whole cluster. A namespace is an object of the cluster, but counts as itself. */
export function namespaceIn(path: string): string | undefined {
  const found = /^\/(?:api|apis\/[^/]+)\/[^/]+\/namespaces\/([^/]+)/.exec(path)?.[1];
  return found === undefined ? undefined : decodeURIComponent(found);
}

/**
 * A client that sends a call that would change something only if `refuse` does not throw. A trial run (`dryRun`) counts as a change, since it goes through the
 * cluster's webhooks, which are other people's programs.
 */
export function guardedApi(api: KubernetesApi, refuse: (call: ActingCall) => void): KubernetesApi {
  return {
    server: api.server,
    json: async (call) => {
      const reads = call.method === 'GET' && !actingOn.test(call.path);
      if (!reads && !(call.method === 'POST' && asksForRights.test(call.path))) refuse(call);
      return api.json(call);
    },
    stream: async (call) => {
      if (actingOn.test(call.path)) refuse(call);
      return api.stream(call);
    },
    socket: async (call) => {
      refuse(call);
      return api.socket(call);
    },
    clock: () => api.clock(),
    close: () => api.close(),
  };
}
