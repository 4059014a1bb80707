import { digestOf } from '../text/digest.ts';
import { names } from './labels.ts';
import type { PolicyRecord } from './pod-record.ts';

/**
 * A cluster-wide policy that denies a quarantined pod's traffic before any NetworkPolicy can allow it. The platform team applies it once (`deploy/deny-tier`);
 * Firebreak only reads it, since anyone who may write it may cut off the whole cluster.
 */
export interface DenyTier {
  readonly kind: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly spec: Readonly<Record<string, unknown>>;
  /** Fields that the API server fills in by itself. */
  readonly filledIn?: Readonly<Record<string, unknown>>;
  /** Its rules cannot name peers outside of the cluster: what a NetworkPolicy lets in from there comes in. */
  readonly letsInFromOutside?: true;
}

const quarantined = { matchLabels: { [names.quarantineLabel]: 'active' } };

const clusterPolicy = {
  subject: { pods: { namespaceSelector: {}, podSelector: quarantined } },
  ingress: [{ name: 'deny-all', action: 'Deny', from: [{ namespaces: {} }] }],
  egress: [{ name: 'deny-all', action: 'Deny', to: [{ networks: ['0.0.0.0/0', '::/0'] }] }],
};

/** The strongest first. */
export const denyTiers: readonly DenyTier[] = [
  {
    // https://docs.cilium.io/en/stable/security/policy/language/#deny-policies
    kind: 'CiliumClusterwideNetworkPolicy',
    group: 'cilium.io',
    version: 'v2',
    resource: 'ciliumclusterwidenetworkpolicies',
    spec: {
      endpointSelector: { matchLabels: { [`k8s:${names.quarantineLabel}`]: 'active' } },
      ingressDeny: [{ fromEntities: ['all'] }],
      egressDeny: [{ toEntities: ['all'] }],
    },
  },
  {
    // https://docs.tigera.io/calico/latest/reference/resources/globalnetworkpolicy: the lowest order comes first, NetworkPolicies have 1000
    kind: 'GlobalNetworkPolicy',
    group: 'projectcalico.org',
    version: 'v3',
    resource: 'globalnetworkpolicies',
    spec: {
      order: 0,
      selector: `${names.quarantineLabel} == 'active'`,
      types: ['Ingress', 'Egress'],
      ingress: [{ action: 'Deny' }],
      egress: [{ action: 'Deny' }],
    },
    filledIn: { tier: 'default' },
  },
  {
    // https://network-policy-api.sigs.k8s.io/reference/spec/
    kind: 'ClusterNetworkPolicy',
    group: 'policy.networking.k8s.io',
    version: 'v1alpha2',
    resource: 'clusternetworkpolicies',
    spec: { tier: 'Admin', priority: 0, ...clusterPolicy },
    letsInFromOutside: true,
  },
  {
    kind: 'AdminNetworkPolicy',
    group: 'policy.networking.k8s.io',
    version: 'v1alpha1',
    resource: 'adminnetworkpolicies',
    spec: { priority: 0, ...clusterPolicy },
    letsInFromOutside: true,
  },
];

/** Returns whether it is exactly the policy that Firebreak knows: a changed one does not count. */
export function isDenyTier(tier: DenyTier, spec: Readonly<Record<string, unknown>> | undefined): boolean {
  const filledIn = Object.entries(tier.filledIn ?? {}).filter(([key]) => spec?.[key] !== undefined);
  return spec !== undefined && digestOf(spec) === digestOf({ ...tier.spec, ...Object.fromEntries(filledIn) });
}

/** Returns those of these policies, which allow traffic of a quarantined pod, that the tier leaves in force. */
export function notDenied(policies: readonly PolicyRecord[], tier: DenyTier | undefined): readonly PolicyRecord[] {
  if (!tier) return policies;
  return policies.filter(({ allowsFromOutside, deniedBy }) =>
    deniedBy ? !deniedBy.includes(tier.kind) : tier.letsInFromOutside && allowsFromOutside,
  );
}
