/** What the cell remembers about a pod: what containment, resolution and plans need, and nothing that could be a secret. */
export interface PodRecord {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Only Firebreak's own, those that mark mirror pods, and those that make autoscalers spare a pod. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Names of others' annotations that would have to be removed to make room for a note, the largest first. Absent: there is room. */
  readonly crowding?: readonly string[];
  readonly owners: readonly OwnerRef[];
  readonly resourceVersion: string;
  readonly createdAt: string;
  readonly deleting: boolean;
  /** When its containers are ended at the latest, while it is being deleted: the deletion request sets the grace period. */
  readonly endsAt?: string;
  readonly phase: string;
  /** Absent while it is not ready. */
  readonly ready?: true;
  readonly node?: string;
  readonly hostNetwork: boolean;
  readonly serviceAccount?: string;
  /** Some container of it runs privileged. */
  readonly privileged?: true;
  /** It shares a namespace of its node, or mounts one of its paths: what the baseline level forbids. https://kubernetes.io/docs/concepts/security/pod-security-standards/ */
  readonly hostAccess?: true;
  /** Its spec names an AppArmor profile: if it runs, its node has AppArmor. */
  readonly appArmor?: true;
  /** Total over all its containers. Absent: none. */
  readonly restarts?: number;
  /** Absent: `Always`. */
  readonly restartPolicy?: 'OnFailure' | 'Never';
  readonly containers: readonly ContainerRecord[];
  /** For a quarantined pod: by cause, in words, what its node may end its containers for and anyone who may write the pod can change. */
  readonly endsBy?: Readonly<Record<string, string>>;
  /** For a quarantined pod: those of its containers that were restarted, by name. */
  readonly restarted?: Readonly<Record<string, RestartedContainer>>;
  /** Names of Secrets that it mounts, has in its environment, or pulls images with; sorted. */
  readonly secrets: readonly string[];
  /** Claims that other pods of its namespace may use too: `persistentvolumeclaim/data`, `resourceclaim/gpu`; sorted. Absent: none. */
  readonly claims?: readonly string[];
  /** Additional networks besides the cluster's, requested by its annotations. Absent: none. */
  readonly otherNetworks?: readonly string[];
}

export interface ContainerRecord {
  readonly name: string;
  readonly image: string;
  /** Without the `containerd://` prefix. */
  readonly id?: string;
  readonly imageId?: string;
  /** Seconds within which its liveness probe ends it once the probe fails; absent if it has none. */
  readonly livenessSeconds?: number;
}

export interface RestartedContainer {
  readonly times: number;
  /** What its node says about the last termination: `OOMKilled, exit code 137`. */
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

/** A NetworkPolicy, or a policy of a network plugin: only whom it selects, and whether it allows anything. */
export interface PolicyRecord {
  /** Absent: a NetworkPolicy of Kubernetes. */
  readonly kind?: OtherPolicyName;
  /** Empty for a cluster-wide policy. */
  readonly namespace: string;
  readonly name: string;
  readonly selector: LabelSelector;
  /** For a policy with several selectors. An unreadable selector is replaced by the empty one, which selects everything. */
  readonly alsoSelects?: readonly LabelSelector[];
  /** For a cluster-wide policy: the only namespaces whose pods it can select. Absent: any. */
  readonly onlyIn?: readonly string[];
  /** It has at least one ingress or egress rule that counts. */
  readonly allows: boolean;
  /** One of these rules admits peers that may be outside of the cluster: from an address, or from anywhere. */
  readonly allowsFromOutside: boolean;
  /** What a NetworkPolicy of Kubernetes lets its pods reach; absent: nothing. */
  readonly egress?: readonly EgressRule[];
  /** The spec's digest: shows whether the standing policy is as it should be. */
  readonly specDigest: string;
  /** For a plugin's policy: kinds of the deny tiers that are stronger than it. Absent: as the deny tier says for NetworkPolicies. */
  readonly deniedBy?: readonly string[];
  /** Notes of actions on it, by annotation, and the digest of its content; absent if there are none. */
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
