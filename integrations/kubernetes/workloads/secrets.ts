import type { V1Secret } from '@kubernetes/client-node';
import { undefinedIf } from '../../../core/errors.ts';
import { type KubernetesApi, pathOf } from '../client.ts';
import { type Jsonify, ownersOf } from '../watch/projection.ts';
import { otherWriter } from './writers.ts';

export type SecretJson = Jsonify<V1Secret>;

/** A Secret, or undefined if there is none. It holds values, so it never leaves the activity. */
export async function readSecret(options: {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly name: string;
  readonly signal: AbortSignal;
}): Promise<SecretJson | undefined> {
  const { api, namespace, name, signal } = options;
  return api
    .json<SecretJson>({
      method: 'GET',
      path: pathOf({ resource: 'secrets', namespace, name }),
      what: `get secrets in ${namespace}`,
      signal,
    })
    .catch(undefinedIf('FB_ERR_NOT_FOUND'));
}

/** What created a Secret, by the kind in its owner reference, if labels and annotations do not say. */
const writersByKind: Readonly<Record<string, string>> = {
  ExternalSecret: 'External Secrets',
  Certificate: 'cert-manager',
  SealedSecret: 'Sealed Secrets',
  VaultStaticSecret: 'Vault',
  VaultDynamicSecret: 'Vault',
};

/** How to rotate a value if somebody else writes the Secret. A value that we set would be reverted, or not be the real one. */
const rotatedThere: Readonly<Record<string, string>> = {
  Helm: 'give the release a new value, and upgrade it',
  'Argo CD': 'change it where it is declared: a change made here is reverted',
  Flux: 'change it where it is declared: a change made here is reverted',
  'External Secrets':
    'rotate it at the provider first, then set the annotation force-sync on its ExternalSecret; until then the old value stays valid',
  'cert-manager':
    'renew it with privateKey.rotationPolicy Always, so that the key is replaced too; the old certificate stays valid until it expires or is revoked',
  'Sealed Secrets': 'seal a new value and apply it; the old one stays in version control, sealed',
  Vault: 'revoke its lease, or rotate it, in Vault',
};

/**
 * Why we cannot give this Secret new values, and what to do instead; undefined if we can. An immutable Secret can be rotated: the new one has a new name.
 * @param options.known its keys and their meaning are known from the configuration
 */
export function whyNotRotate(secret: SecretJson, { known = false }: { readonly known?: boolean } = {}): string | undefined {
  const [owner] = ownersOf(secret.metadata ?? {});
  const tool = owner && writersByKind[owner.kind];
  const writer = otherWriter(secret.metadata) ?? (tool === undefined ? undefined : { tool, named: tool });
  const by = owner ? ` (${owner.kind} ${owner.name})` : '';
  if (writer) return `it is managed by ${writer.named}${by}: ${rotatedThere[writer.tool] ?? 'rotate it there'}`;
  const type = secret.type ?? 'Opaque';
  if (type === 'kubernetes.io/service-account-token') return 'it is a ServiceAccount token: revokeTokens ends it';
  if (type !== 'Opaque' && !(known && type === 'kubernetes.io/basic-auth'))
    return `its type is ${type}: random values would not be valid for it`;
  if (owner) return `it is owned by ${owner.kind} ${owner.name}: rotate it there`;
  if (Object.keys(secret.data ?? {}).length === 0) return 'it is empty';
  return undefined;
}
