import { type KubernetesApi, pathOf } from '../../integrations/kubernetes/client.ts';
import { KubernetesError } from '../../integrations/kubernetes/client-error.ts';

/** What runs in a cluster, as far as its object names show. Excludes what the account may not see. */
export interface ClusterSight {
  readonly version: string;
  /** What enforces NetworkPolicies, recognised by its DaemonSet. */
  readonly network: NetworkSight;
  readonly sensors: readonly SightedSensor[];
  /** Tools that revert objects to what a repository declares. */
  readonly gitops: readonly ('Argo CD' | 'Flux')[];
  /** Address of Temporal's frontend. */
  readonly temporal?: string;
  /** Port on which the API server's own hosts listen: some networks allow traffic to it only if a policy names it. */
  readonly apiServerPort?: number;
}

type NetworkSight =
  | { readonly kind: 'enforces' | 'does not enforce'; readonly by: string }
  | { readonly kind: 'not seen' | 'not allowed to look' };

export interface SightedSensor {
  /** As in the URL that it sends alerts to. */
  readonly sensor: string;
  readonly namespace: string;
  /** Name of its DaemonSet. */
  readonly name: string;
}

interface Listed {
  readonly metadata: { readonly name: string; readonly namespace: string };
}

/** https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/ */
interface EndpointSlice {
  readonly ports?: readonly { readonly port?: number }[] | null;
}

const enforcing =
  /^(calico-node|cilium|antrea-agent|kube-router|weave-net|ovnkube-node|kube-ovn-cni|kube-network-policies|netd-policy|azure-npm|canal)$/;
const notEnforcing = /^(kube-flannel|kube-flannel-ds)$/;

/** Recognised by the usual names in their charts. */
const sensorSets: readonly (readonly [RegExp, string])[] = [
  [/^falco(-|$)/, 'falco'],
  [/^tetragon$/, 'tetragon'],
  [/^tracee$/, 'tracee'],
  [/^kubearmor(-|$)/, 'kubearmor'],
  [/^(kubescape-)?node-agent$/, 'kubescape'],
  [/^(inspektor-)?gadget$/, 'inspektor-gadget'],
];

/** @throws FB_ERR_UNAVAILABLE if the API server does not answer. */
export async function lookAtCluster(api: KubernetesApi, signal?: AbortSignal): Promise<ClusterSight> {
  const get = <T>(path: string): Promise<T> =>
    api.json<T>({ method: 'GET', path, what: `get ${path}`, ...(signal && { signal }) });
  const { gitVersion = 'unknown' } = await get<{ readonly gitVersion?: string }>('/version');
  const [sets, services, groups, ofApiServer] = await Promise.all([
    daemonSets(api, signal),
    get<{ readonly items?: readonly Listed[] }>(pathOf({ resource: 'services' })).catch(() => ({ items: [] })),
    get<{ readonly groups?: readonly { readonly name: string }[] }>('/apis').catch(() => ({ groups: [] })),
    get<EndpointSlice>(
      pathOf({ group: 'discovery.k8s.io', namespace: 'default', resource: 'endpointslices', name: 'kubernetes' }),
    ).catch((): EndpointSlice => ({})),
  ]);
  const has = (group: string): boolean => groups.groups?.some(({ name }) => name === group) ?? false;
  const frontend = services.items?.find(({ metadata: { name } }) =>
    /^(.*-)?temporal-frontend$|^temporal-server-frontend$/.test(name),
  );
  const apiServerPort = ofApiServer.ports?.find(({ port }) => port !== undefined)?.port;
  return {
    version: gitVersion,
    network: networkOf(sets),
    sensors: (sets ?? []).flatMap(({ metadata: { name, namespace } }) => {
      const [, sensor] = sensorSets.find(([pattern]) => pattern.test(name)) ?? [];
      return sensor === undefined ? [] : [{ sensor, namespace, name }];
    }),
    gitops: [
      ...(has('argoproj.io') ? (['Argo CD'] as const) : []),
      ...(has('kustomize.toolkit.fluxcd.io') ? (['Flux'] as const) : []),
    ],
    ...(apiServerPort !== undefined && { apiServerPort }),
    ...(frontend && { temporal: `${frontend.metadata.name}.${frontend.metadata.namespace}.svc:7233` }),
  };
}

/** Undefined if the account may not list them. */
export async function daemonSets(api: KubernetesApi, signal?: AbortSignal): Promise<readonly Listed[] | undefined> {
  const path = pathOf({ group: 'apps', resource: 'daemonsets' });
  try {
    const { items = [] } = await api.json<{ readonly items?: readonly Listed[] }>({
      method: 'GET',
      path,
      what: 'list daemonsets',
      ...(signal && { signal }),
    });
    return items;
  } catch (error) {
    if (error instanceof KubernetesError && error.status === 403) return undefined;
    throw error;
  }
}

/** An indication, not a proof: a probe of a contained pod is a proof. */
export function networkOf(sets: readonly Listed[] | undefined): NetworkSight {
  if (sets === undefined) return { kind: 'not allowed to look' };
  const named = (pattern: RegExp): string | undefined => sets.find(({ metadata: { name } }) => pattern.test(name))?.metadata.name;
  const does = named(enforcing);
  if (does !== undefined) return { kind: 'enforces', by: does };
  const doesNot = named(notEnforcing);
  return doesNot === undefined ? { kind: 'not seen' } : { kind: 'does not enforce', by: doesNot };
}
