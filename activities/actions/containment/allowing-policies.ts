import { blockEgress } from '../../../core/actions/index.ts';
import { parseCidr } from '../../../core/cluster/cidr.ts';
import { names } from '../../../core/cluster/labels.ts';
import { type PodRecord, type PolicyRecord, policyTarget, selects } from '../../../core/cluster/pod-record.ts';
import { allowedEgress } from '../../../integrations/kubernetes/policies/network-policies.ts';

/**
 * Finds other policies that allow what a policy made by `isolateNamespace` or `blockEgress` denies: policies add up. For a namespace, any policy that allows
 * something counts; for a workload's egress, those that select one of its pods and let it reach what is blocked. A plugin's policy counts if it allows
 * anything, since its destinations are not read.
 */
export function allowingPolicies(of: {
  readonly action: string;
  readonly made: Pick<PolicyRecord, 'name'> & Partial<Pick<PolicyRecord, 'selector'>>;
  /** Blocked addresses, as CIDRs. */
  readonly denies?: readonly string[] | undefined;
  readonly policies: readonly PolicyRecord[];
  /** The pods of the namespace concerned, if the policy is only about some of them. */
  readonly pods?: readonly Pick<PodRecord, 'labels'>[];
}): readonly PolicyRecord[] {
  const { action, made, denies = [], policies, pods = [] } = of;
  const others = policies
    .filter(({ kind, name, allows }) => allows && (kind !== undefined || (name !== made.name && name !== names.standingPolicy)))
    .toSorted((a, b) => (policyTarget(a) < policyTarget(b) ? -1 : 1));
  if (action !== blockEgress.name) return others;
  const blocks = denies.flatMap((text) => parseCidr(text) ?? []);
  const own = pods.filter(({ labels }) => selects(made.selector ?? {}, labels));
  return others
    .filter(({ selector, alsoSelects = [] }) =>
      own.some(({ labels }) => [selector, ...alsoSelects].some((one) => selects(one, labels))),
    )
    .filter((policy) => policy.kind !== undefined || allowedEgress(policy, blocks).length > 0);
}
