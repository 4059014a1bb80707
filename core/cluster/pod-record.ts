/** What the cell remembers of a pod: what containment, resolution and plans need, and nothing that could be a secret. */
export interface PodRecord {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Only Firebreak's own, those that mark mirror pods, and those by which autoscalers spare a pod. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Names of others' annotations that would have to go for a note to find room, the largest first. Absent: there is room. */
  readonly crowding?: readonly string[];
  readonly owners: readonly OwnerRef[];
  readonly resourceVersion: string;
  readonly createdAt: string;
  readonly deleting: boolean;
  /** When its containers are ended at the latest, while it is being deleted: whoever deletes it says how long they get. */
  readonly endsAt?: string;
  readonly phase: string;
  /** Absent while it is not. */
  readonly ready?: true;
  readonly node?: string;
  readonly hostNetwork: boolean;
  readonly serviceAccount?: string;
  /** Some container of it runs privileged. */
  readonly privileged?: true;
  /** Its spec names an AppArmor profile: where it runs, its node has AppArmor. */
  readonly appArmor?: true;
  /** Of all its containers. Absent: none. */
  readonly restarts?: number;
  /** Absent: `Always`. */
  readonly restartPolicy?: 'OnFailure' | 'Never';
  readonly containers: readonly ContainerRecord[];
  /** Of a quarantined pod, what its node may end its containers for, and who may write the pod may change: by what it is of, in words. */
  readonly endsBy?: Readonly<Record<string, string>>;
  /** Of a quarantined pod, those of its containers that were started again, by name. */
  readonly restarted?: Readonly<Record<string, RestartedContainer>>;
  /** Names of Secrets that it mounts, has in its environment, or pulls images with; sorted. */
  readonly secrets: readonly string[];
  /** What other pods of its namespace may use too: `persistentvolumeclaim/data`, `resourceclaim/gpu`; sorted. Absent: nothing. */
  readonly claims?: readonly string[];
  /** Networks besides the cluster's, by what its annotations ask for. Absent: none. */
  readonly otherNetworks?: readonly string[];
}

export interface ContainerRecord {
  readonly name: string;
  readonly image: string;
  /** Without the `containerd://` before it. */
  readonly id?: string;
  readonly imageId?: string;
  /** Seconds in which its liveness probe, once it fails, ends it; absent where it has none. */
  readonly livenessSeconds?: number;
}

export interface RestartedContainer {
  readonly times: number;
  /** What its node says of the last end: `OOMKilled, exit code 137`. */
  readonly ended?: string;
}

export interface OwnerRef {
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller: boolean;
}

type OtherPolicyName =
  | 'CiliumNetworkPolicy'
  | 'CiliumClusterwideNetworkPolicy'
  | 'Calico NetworkPolicy'
  | 'Calico GlobalNetworkPolicy'
  | 'AdminNetworkPolicy'
  | 'ClusterNetworkPolicy';

/** A NetworkPolicy, or a policy of a network plugin, as far as it says whom it selects and whether it allows anything. */
export interface PolicyRecord {
  /** Absent: a NetworkPolicy of Kubernetes. */
  readonly kind?: OtherPolicyName;
  /** Empty for a policy of the whole cluster. */
  readonly namespace: string;
  readonly name: string;
  readonly selector: LabelSelector;
  /** Of a policy that has several: of one that cannot be read the empty one stands here, which selects all. */
  readonly alsoSelects?: readonly LabelSelector[];
  /** Of a policy of the whole cluster: the only namespaces whose pods it can select. Absent: any. */
  readonly onlyIn?: readonly string[];
  /** At least one ingress or egress rule that counts. */
  readonly allows: boolean;
  /** Among them one that lets in who may be outside of the cluster: from an address, or from anywhere. */
  readonly allowsFromOutside: boolean;
  /** What a NetworkPolicy of Kubernetes lets its pods reach; absent: nothing. */
  readonly egress?: readonly EgressRule[];
  /** The spec's digest: tells whether the standing policy is as it should be. */
  readonly specDigest: string;
  /** Of a plugin: kinds of the deny tiers that are stronger than it. Absent: as the deny tier says of NetworkPolicies. */
  readonly deniedBy?: readonly string[];
  /** What actions have noted on it, by annotation, and the digest of all that it says; absent where none has. */
  readonly made?: { readonly uid: string; readonly notes: Readonly<Record<string, string>>; readonly digest: string };
}

/** Without peers: everywhere. */
export interface EgressRule {
  readonly to?: readonly { readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] } }[];
}

/** `networkpolicy/shop/open`, `ciliumnetworkpolicy/shop/open`, `calico-networkpolicy/shop/open`, `adminnetworkpolicy/open`. */
export function policyTarget({ kind, namespace, name }: Pick<PolicyRecord, 'kind' | 'namespace' | 'name'>): string {
  const sort = (kind ?? 'NetworkPolicy').toLowerCase().replace(' ', '-');
  return namespace === '' ? `${sort}/${name}` : `${sort}/${namespace}/${name}`;
}

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly { readonly key: string; readonly operator: string; readonly values?: readonly string[] }[];
}

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/: an empty selector selects everything. */
export function selects(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) if (labels[key] !== value) return false;
  return (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    const value = labels[key];
    if (operator === 'Exists') return value !== undefined;
    if (operator === 'DoesNotExist') return value === undefined;
    if (operator === 'In') return value !== undefined && values.includes(value);
    if (operator === 'NotIn') return value === undefined || !values.includes(value);
    return true;
  });
}
