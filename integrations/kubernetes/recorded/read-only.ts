import type { KubernetesApi } from '../client.ts';
import { KubernetesError } from '../client-error.ts';

/** Error reason for calls that a read-only client refuses. */
const readOnly = 'ReadOnly';

/** Subresources on which even a GET acts: it runs a command, connects into a container, or sends a request to a kubelet or a Service. */
const actingOn = /\/(?:exec|attach|portforward|proxy)(?:\/|$)/;

/** A POST that creates nothing: it asks whether an account has a right. https://kubernetes.io/docs/reference/access-authn-authz/authorization/ */
const asksForRights = /^\/apis\/authorization\.k8s\.io\/v1\/(?:self)?subjectaccessreviews$/;

/**
 * A client that changes nothing, whoever calls it: calls that would change something are not sent. Nor is a trial run (`dryRun`), since it goes through the
 * cluster's webhooks, which are other people's programs.
 */
export function readOnlyApi(api: KubernetesApi): KubernetesApi {
  return {
    server: api.server,
    json: async (call) => {
      const reads = call.method === 'GET' && !actingOn.test(call.path);
      if (reads || (call.method === 'POST' && asksForRights.test(call.path))) return api.json(call);
      throw refusedToWrite(call.what);
    },
    stream: async (call) => {
      if (actingOn.test(call.path)) throw refusedToWrite(call.what);
      return api.stream(call);
    },
    socket: async ({ what }) => {
      throw refusedToWrite(what);
    },
    clock: () => api.clock(),
    close: () => api.close(),
  };
}

export function refusedToWrite(what: string): KubernetesError {
  return new KubernetesError('FB_ERR_REFUSED', `a read-only client may not ${what}`, { status: 0, reason: readOnly });
}

/** Whether the error only says that a client may not write, and nothing about the cluster. */
export function isRefusedToWrite(error: unknown): boolean {
  return error instanceof KubernetesError && error.reason === readOnly;
}
