import type { V1PodSpec } from '@kubernetes/client-node';
import { isObject } from '../../../core/text/plain-json.ts';
import type { Jsonify } from './projection.ts';

/** https://github.com/k8snetworkplumbingwg/multus-cni/blob/master/docs/how-to-use.md, and the standard that it follows. */
const networkAnnotations = ['k8s.v1.cni.cncf.io/networks', 'v1.multus-cni.io/default-network'] as const;

/** Matches names that the API server accepts; anything else is not a name, and may have any length. */
const networkName = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;
const mostNetworks = 5;

/**
 * What the pod uses that other pods of its namespace may use too, as `persistentvolumeclaim/data`, `resourceclaim/gpu`: sorted. The spec has named them since
 * the pod was created, and nobody can change them.
 */
export function claimsOf(pod: string, { volumes = [], resourceClaims = [] }: Partial<Jsonify<V1PodSpec>>): readonly string[] {
  const claims = [
    ...volumes.flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
      // https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#persistentvolumeclaim-naming
      const claim = persistentVolumeClaim?.claimName ?? (ephemeral ? `${pod}-${name}` : undefined);
      return claim === undefined ? [] : [`persistentvolumeclaim/${claim}`];
    }),
    ...resourceClaims.flatMap(({ resourceClaimName }) => (resourceClaimName ? [`resourceclaim/${resourceClaimName}`] : [])),
  ];
  return [...new Set(claims)].sort();
}

/**
 * Names of the networks that the pod requests in addition to the cluster's: NetworkPolicies cover none of them. Anyone who may write the pod may write them
 * after its creation, when they have no effect: good enough to report, but not to decide by.
 */
export function otherNetworksOf(annotations: Readonly<Record<string, string>>): readonly string[] {
  const named = networkAnnotations.flatMap((annotation) => networksIn(annotations[annotation] ?? ''));
  return [...new Set(named)].sort().slice(0, mostNetworks);
}

/** `macvlan`, `net/macvlan@eth1, other`, or a JSON list of `{ name, namespace }`. */
function networksIn(text: string): readonly string[] {
  const trimmed = text.trim();
  const asked = trimmed.startsWith('[') ? listed(trimmed) : trimmed.split(',');
  return asked.flatMap((one) => {
    const name = one.trim().split('@')[0]?.split('/').at(-1) ?? '';
    return networkName.test(name) ? [name] : [];
  });
}

function listed(text: string): readonly string[] {
  try {
    const list: unknown = JSON.parse(text);
    if (!Array.isArray(list)) return [];
    return list.flatMap((one) => (isObject(one) && typeof one.name === 'string' ? [one.name] : []));
  } catch {
    return [];
  }
}
