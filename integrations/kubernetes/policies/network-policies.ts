import type { V1NetworkPolicy } from '@kubernetes/client-node';
import { type Cidr, contains, overlap, parseCidr } from '../../../core/cluster/cidr.ts';
import { names } from '../../../core/cluster/labels.ts';
import { type EgressRule, type LabelSelector, type PolicyRecord, selects } from '../../../core/cluster/pod-record.ts';
import type { KubernetesApi } from '../client.ts';
import { listObjects, type ObjectRef } from '../objects.ts';
import type { Jsonify } from '../watch/projection.ts';

export type PolicyJson = Jsonify<V1NetworkPolicy>;

export function networkPolicyRef(namespace: string, name: string): ObjectRef {
  return { kind: 'NetworkPolicy', group: 'networking.k8s.io', resource: 'networkpolicies', namespace, name };
}

export function listNetworkPolicies(options: {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly signal: AbortSignal;
}): Promise<readonly PolicyJson[]> {
  const { name: _, ...ref } = networkPolicyRef(options.namespace, '');
  return listObjects<PolicyJson>({ ...options, ref });
}

/**
 * Only the standing policy applies to a quarantined pod: an exception in another policy of ours must not open it. Matches the value, as the standing policy
 * does: giving a pod the label with another value exempts it from nothing.
 */
export const notQuarantined = { key: names.quarantineLabel, operator: 'NotIn', values: ['active'] } as const;

/** Whether the standing policy selects a pod with these labels. */
export function isQuarantined(labels: Readonly<Record<string, string>>): boolean {
  return labels[names.quarantineLabel] === 'active';
}

/** https://kubernetes.io/docs/concepts/services-networking/network-policies/: without `policyTypes`, Egress applies only if there are egress rules. */
function limitsEgress({ spec }: PolicyJson): boolean {
  return spec?.policyTypes?.includes('Egress') ?? spec?.egress !== undefined;
}

/** Names of the policies that limit the egress of pods with these labels. */
export function egressPoliciesOf(
  policies: readonly PolicyJson[],
  labels: Readonly<Record<string, string>>,
): readonly PolicyJson[] {
  return policies.filter((policy) => {
    const selector: LabelSelector = policy.spec?.podSelector ?? {};
    return limitsEgress(policy) && selects(selector, labels);
  });
}

/** The blocks that the policy lets pods reach by address, wholly or in part. Peers that are pods or namespaces are ignored. */
export function allowedEgress({ egress = [] }: Pick<PolicyRecord, 'egress'>, blocks: readonly Cidr[]): readonly Cidr[] {
  return blocks.filter((block) => egress.some((rule) => ruleAllows(rule, block)));
}

function ruleAllows(rule: EgressRule, block: Cidr): boolean {
  // A rule without peers allows all destinations.
  if (!rule.to || rule.to.length === 0) return true;
  return rule.to.some(({ ipBlock }) => {
    const allowed = ipBlock && parseCidr(ipBlock.cidr);
    const common = allowed && overlap(allowed, block);
    if (!common) return false;
    return !(ipBlock.except ?? []).some((text) => {
      const excepted = parseCidr(text);
      return excepted !== undefined && contains(excepted, common);
    });
  });
}
