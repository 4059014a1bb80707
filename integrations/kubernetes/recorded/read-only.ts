import type { KubernetesApi } from '../client.ts';
import { KubernetesError } from '../client-error.ts';
import { guardedApi } from '../guarded-api.ts';

/** Error reason for calls that a read-only client refuses. */
const readOnly = 'ReadOnly';

/** A client that changes nothing, whoever calls it: calls that would change something are not sent. */
export function readOnlyApi(api: KubernetesApi): KubernetesApi {
  return guardedApi(api, ({ what }) => {
    throw refusedToWrite(what);
  });
}

export function refusedToWrite(what: string): KubernetesError {
  return new KubernetesError('FB_ERR_REFUSED', `a read-only client may not ${what}`, { status: 0, reason: readOnly });
}

/** Whether the error only says that a client may not write, and nothing about the cluster. */
export function isRefusedToWrite(error: unknown): boolean {
  return error instanceof KubernetesError && error.reason === readOnly;
}
