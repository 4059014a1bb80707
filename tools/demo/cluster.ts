import { setTimeout as sleep } from 'node:timers/promises';
import { FirebreakError } from '../../core/errors.ts';
import { callKubernetes, type KubernetesAccess } from '../platform/kubernetes/kubernetes-api.ts';
import { shop, shopManifests, shopPods } from './shop.ts';

/** Objects as the API server returns them, limited to the fields that the demo reads. */
export interface Metadata {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation?: number;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface PodSpec {
  readonly nodeName?: string;
  readonly containers: readonly {
    readonly name: string;
    readonly image: string;
    readonly env?: readonly { readonly valueFrom?: { readonly secretKeyRef?: { readonly name: string } } }[];
  }[];
  readonly volumes?: readonly { readonly secret?: { readonly secretName: string } }[];
}

export interface Pod {
  readonly metadata: Metadata;
  readonly spec: PodSpec;
  readonly status: { readonly phase?: string; readonly containerStatuses?: readonly { readonly containerID?: string }[] };
}

export interface Deployment {
  readonly metadata: Metadata;
  readonly spec: { readonly replicas: number; readonly template: { readonly spec: PodSpec } };
  readonly status: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly availableReplicas?: number;
  };
}

export interface Secret {
  readonly metadata: Metadata;
  readonly data?: Readonly<Record<string, string>>;
}

export interface NetworkPolicy {
  readonly metadata: Metadata;
  readonly spec: {
    readonly podSelector: { readonly matchLabels?: Readonly<Record<string, string>> };
    readonly policyTypes?: readonly string[];
    readonly ingress?: readonly unknown[];
    readonly egress?: readonly unknown[];
  };
}

interface EndpointSlice {
  readonly metadata: Metadata;
  readonly endpoints?: readonly { readonly targetRef?: { readonly uid?: string } }[] | null;
}

/** Asks the API server directly, by a different path than Firebreak's own client. */
export class DemoCluster {
  readonly #access: KubernetesAccess;

  constructor(access: KubernetesAccess) {
    this.#access = access;
  }

  pods = (): Promise<readonly Pod[]> => this.#list<Pod>(`/api/v1/namespaces/${shop.namespace}/pods`);
  deployments = (): Promise<readonly Deployment[]> =>
    this.#list<Deployment>(`/apis/apps/v1/namespaces/${shop.namespace}/deployments`);
  secrets = (): Promise<readonly Secret[]> => this.#list<Secret>(`/api/v1/namespaces/${shop.namespace}/secrets`);
  policies = (): Promise<readonly NetworkPolicy[]> =>
    this.#list<NetworkPolicy>(`/apis/networking.k8s.io/v1/namespaces/${shop.namespace}/networkpolicies`);
  endpoints = (service: string): Promise<readonly EndpointSlice[]> =>
    this.#list<EndpointSlice>(
      `/apis/discovery.k8s.io/v1/namespaces/${shop.namespace}/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3D${service}`,
    );

  hasShop = async (): Promise<boolean> => (await this.#get(`/api/v1/namespaces/${shop.namespace}`)).status === 200;

  /** Creates the shop and waits until all its pods run. Throws FB_ERR_PLATFORM_START. */
  async deployShop(options: { readonly image?: string; readonly password: string }): Promise<void> {
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: shop.namespace } };
    await this.#create('/api/v1/namespaces', namespace);
    const account = `/api/v1/namespaces/${shop.namespace}/serviceaccounts/default`;
    await this.#until('the default service account of the shop', async () => (await this.#get(account)).status === 200);
    for (const { path, body } of shopManifests(options)) await this.#create(path, body);
    await this.#until(`${shopPods} running pods of the shop`, async () => {
      const running = (await this.pods()).filter(({ status }) => status.phase === 'Running');
      return running.length === shopPods;
    });
    await this.#until('the Deployments of the shop', async () => (await this.deployments()).every(isRolledOut));
  }

  #get(path: string): Promise<{ readonly status: number; readonly text: string }> {
    return callKubernetes({ access: this.#access, path });
  }

  async #list<Item>(path: string): Promise<readonly Item[]> {
    const { status, text } = await this.#get(path);
    if (status !== 200) throw new FirebreakError('FB_ERR_UNAVAILABLE', `the API server returned ${status} for ${path}`);
    const list: { readonly items: readonly Item[] } = JSON.parse(text);
    return list.items;
  }

  async #create(path: string, body: object): Promise<void> {
    const { status } = await callKubernetes({ access: this.#access, path, method: 'POST', body });
    if (status !== 201) throw new FirebreakError('FB_ERR_PLATFORM_START', `the API server returned ${status} for POST ${path}`);
  }

  async #until(what: string, ready: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + 120_000;
    while (!(await ready())) {
      if (Date.now() > deadline) throw new FirebreakError('FB_ERR_PLATFORM_START', `${what}: not ready after 120 s`);
      await sleep(100);
    }
  }
}

/** https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#complete-deployment */
export function isRolledOut({ metadata, spec, status }: Deployment): boolean {
  const all = [status.replicas, status.updatedReplicas, status.availableReplicas];
  return (status.observedGeneration ?? 0) >= (metadata.generation ?? 0) && all.every((count) => count === spec.replicas);
}

/** The Secrets that a pod with this spec has in its environment or its volumes. */
export function secretsOf(spec: PodSpec): readonly string[] {
  const inEnv = spec.containers.flatMap(({ env = [] }) => env.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef?.name ?? []));
  const inVolumes = (spec.volumes ?? []).flatMap(({ secret }) => secret?.secretName ?? []);
  return [...new Set([...inEnv, ...inVolumes])].sort();
}
