import type { V1Secret } from '@kubernetes/client-node';
import { type KubernetesApi, pathOf } from './client.ts';
import { KubernetesError } from './client-error.ts';
import { otherWriter } from './owners.ts';
import { type Json, ownersOf } from './projection.ts';

export type SecretJson = Json<V1Secret>;

/** A Secret, or undefined where there is none. It holds values: it never leaves the activity. */
export async function readSecret(options: {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly name: string;
  readonly signal: AbortSignal;
}): Promise<SecretJson | undefined> {
  const { api, namespace, name, signal } = options;
  try {
    return await api.json<SecretJson>({
      method: 'GET',
      path: pathOf({ resource: 'secrets', namespace, name }),
      what: `get secrets in ${namespace}`,
      signal,
    });
  } catch (error) {
    if (error instanceof KubernetesError && error.status === 404) return undefined;
    throw error;
  }
}

/** Why this Secret cannot be given new values by us; undefined when it can. An immutable one can: the new one has a new name. */
export function whyNotRotate(secret: SecretJson): string | undefined {
  const type = secret.type ?? 'Opaque';
  if (type === 'kubernetes.io/service-account-token')
    return 'it is a ServiceAccount token: only recreating it or the ServiceAccount revokes it';
  if (type !== 'Opaque') return `its type is ${type}: random values would not be valid in it`;
  const writer = otherWriter(secret.metadata);
  if (writer) return `it is managed by ${writer}: rotate it there`;
  const [owner] = ownersOf(secret.metadata ?? {});
  if (owner) return `it is owned by ${owner.kind} ${owner.name}: rotate it there`;
  if (Object.keys(secret.data ?? {}).length === 0) return 'it is empty';
  return undefined;
}
