import { describe, expect, test } from '@jest/globals';
import { additivePolicies } from '../../../activities/actions/containment/quarantine-plan.ts';
import { denyTiers } from '../../../core/cluster/deny-tier.ts';
import { policyTarget } from '../../../core/cluster/pod-record.ts';
import { otherPolicyKinds } from '../../../integrations/kubernetes/policies/other-policies.ts';

const metadata = { name: 'open', namespace: 'shop' };

/** What of it lets the traffic of a quarantined pod through. */
function open(group: string, policy: object, tier?: string): readonly string[] {
  const kind = otherPolicyKinds.find((one) => one.group === group);
  if (!kind) throw new Error(`no kind of ${group}`);
  const denyTier = denyTiers.find((one) => one.kind === tier);
  const record = kind.record({ metadata, ...policy });
  return additivePolicies([record], { incident: 'incident/lab/shop/Deployment/cart', denyTier }).map(policyTarget);
}

describe('a policy of Cilium, at a quarantined pod', () => {
  const open1 = { ingress: [{ fromEntities: ['all'] }] };
  test.each<[string, object]>([
    ['for all pods', { spec: { endpointSelector: {}, ...open1 } }],
    [
      'for pods with the quarantine’s label',
      { spec: { endpointSelector: { matchLabels: { 'k8s:firebreak.dev/quarantine': 'active' } }, ...open1 } },
    ],
    [
      'by what is no label',
      { spec: { endpointSelector: { matchLabels: { 'k8s:io.kubernetes.pod.namespace': 'shop' } }, ...open1 } },
    ],
    [
      'in its second rule',
      {
        specs: [
          { endpointSelector: { matchLabels: { app: 'cart' } }, ...open1 },
          { endpointSelector: {}, egress: [{ toFQDNs: [] }] },
        ],
      },
    ],
    ['in a shape that is not known', { spec: { ingress: 'all' } }],
  ])('allows its traffic: %s', (_, policy) => {
    expect(open('cilium.io', policy)).toEqual(['ciliumnetworkpolicy/shop/open']);
  });

  test.each<[string, object]>([
    ['for other pods', { spec: { endpointSelector: { matchLabels: { 'any:app': 'cart' } }, ...open1 } }],
    [
      'for pods that are not quarantined',
      {
        spec: {
          endpointSelector: { matchExpressions: [{ key: 'firebreak.dev/quarantine', operator: 'DoesNotExist' }] },
          ...open1,
        },
      },
    ],
    ['of rules without peers', { spec: { endpointSelector: {}, ingress: [{}], egress: [{}] } }],
    ['of denials', { spec: { endpointSelector: {}, ingressDeny: [{ fromEntities: ['all'] }] } }],
  ])('does not: %s', (_, policy) => {
    expect(open('cilium.io', policy)).toEqual([]);
  });

  test('does not where Cilium denies for the whole cluster', () => {
    const policy = { spec: { endpointSelector: {}, ...open1 } };
    expect(open('cilium.io', policy, 'CiliumClusterwideNetworkPolicy')).toEqual([]);
    expect(open('cilium.io', policy, 'AdminNetworkPolicy')).toHaveLength(1);
  });
});

describe('a policy of Calico, at a quarantined pod', () => {
  const open1 = { ingress: [{ action: 'Allow' }] };
  test.each<[string, object]>([
    ['without a selector', open1],
    ['all()', open1],
    ["has(firebreak.dev/quarantine) && app != 'cart'", open1],
    ["projectcalico.org/namespace == 'shop'", open1],
    ["app == 'cart' || all()", open1],
    ["!(app == 'cart')", open1],
    ["firebreak.dev/quarantine in { 'active', 'other' }", { egress: [{ action: 'Pass' }] }],
  ])('allows its traffic: %s', (selector, rules) => {
    const spec = { ...(selector !== 'without a selector' && { selector }), ...rules };
    for (const group of ['crd.projectcalico.org', 'projectcalico.org'])
      expect(open(group, { spec })).toEqual(['calico-networkpolicy/shop/open']);
  });

  test.each<[string, object]>([
    ["app == 'cart'", open1],
    ['has(app)', open1],
    ['!has(firebreak.dev/quarantine)', open1],
    ["app not in {'cart'} && firebreak.dev/quarantine not in {'active'}", open1],
    ['all()', { ingress: [{ action: 'Deny' }, { action: 'Log' }] }],
  ])('does not: %s', (selector, rules) => {
    expect(open('projectcalico.org', { spec: { selector, ...rules } })).toEqual([]);
  });

  test('does where it comes before Calico’s deny tier, or in another tier', () => {
    const at = (where: object) => open('projectcalico.org', { spec: { ...open1, ...where } }, 'GlobalNetworkPolicy');
    expect([at({}), at({ order: 10, tier: 'default' })]).toEqual([[], []]);
    expect([at({ order: -1 }), at({ tier: 'first' })].flat()).toHaveLength(2);
  });
});
