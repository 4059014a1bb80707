import { describe, expect, test } from '@jest/globals';
import { additivePolicies } from '../../../activities/actions/containment/quarantine-plan.ts';
import { denyTiers } from '../../../core/cluster/deny-tier.ts';
import { policyTarget } from '../../../core/cluster/pod-record.ts';
import { otherPolicyKinds } from '../../../integrations/kubernetes/policies/other-policies.ts';

const metadata = { name: 'open', namespace: 'shop' };

/** The parts of it that let the traffic of a quarantined pod through. */
function open(group: string, policy: object, tier?: string): readonly string[] {
  const kind = otherPolicyKinds.find((one) => one.group === group);
  if (!kind) throw new Error(`no kind of ${group}`);
  const denyTier = denyTiers.find((one) => one.kind === tier);
  const record = kind.record({ metadata, ...policy });
  return additivePolicies([record], { incident: 'incident/lab/shop/Deployment/cart', denyTier }).map(policyTarget);
}

describe('a Cilium policy for a quarantined pod', () => {
  const open1 = { ingress: [{ fromEntities: ['all'] }] };
  test.each<[string, object]>([
    ['for all pods', { spec: { endpointSelector: {}, ...open1 } }],
    [
      'for pods with the quarantine’s label',
      { spec: { endpointSelector: { matchLabels: { 'k8s:firebreak.dev/quarantine': 'active' } }, ...open1 } },
    ],
    [
      'by something that is not a label',
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
    ['in an unknown shape', { spec: { ingress: 'all' } }],
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

  test('does not when Cilium denies cluster-wide', () => {
    const policy = { spec: { endpointSelector: {}, ...open1 } };
    expect(open('cilium.io', policy, 'CiliumClusterwideNetworkPolicy')).toEqual([]);
    expect(open('cilium.io', policy, 'AdminNetworkPolicy')).toHaveLength(1);
  });
});

describe('a Calico policy for a quarantined pod', () => {
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

  test('does when it comes before Calico’s deny tier, or in another tier', () => {
    const at = (where: object) => open('projectcalico.org', { spec: { ...open1, ...where } }, 'GlobalNetworkPolicy');
    expect([at({}), at({ order: 10, tier: 'default' })]).toEqual([[], []]);
    expect([at({ order: -1 }), at({ tier: 'first' })].flat()).toHaveLength(2);
  });
});

describe('a cluster-wide policy for a quarantined pod in shop', () => {
  type Case = readonly [resource: string, spec: object, tier?: string];
  const at = ([resource, spec, tier]: Case): readonly string[] => {
    const kind = otherPolicyKinds.find((one) => one.resource === resource);
    if (!kind) throw new Error(`no kind of ${resource}`);
    const record = kind.record({ metadata: { name: 'open' }, spec });
    if (!(record.onlyIn?.includes('shop') ?? true)) return [];
    const denyTier = denyTiers.find((one) => one.kind === tier);
    return additivePolicies([record], { incident: 'incident/lab/shop/Deployment/cart', denyTier }).map(policyTarget);
  };
  const [cilium, calico, admin, cluster] = [
    'ciliumclusterwidenetworkpolicies',
    'globalnetworkpolicies',
    'adminnetworkpolicies',
    'clusternetworkpolicies',
  ];
  const world = { egress: [{ toEntities: ['world'] }] };
  const allow = { egress: [{ action: 'Allow' }] };
  const accept = { egress: [{ action: 'Accept', to: [{ networks: ['0.0.0.0/0'] }] }] };
  const everywhere = { subject: { namespaces: {} } };
  const inNamespaces = (...values: string[]) => ({
    subject: { namespaces: { matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values }] } },
  });

  test.each<[string, string, Case]>([
    ['of Cilium, for all pods', 'ciliumclusterwidenetworkpolicy/open', [cilium, { endpointSelector: {}, ...world }]],
    [
      'of Cilium, for its namespace',
      'ciliumclusterwidenetworkpolicy/open',
      [cilium, { endpointSelector: { matchLabels: { 'k8s:io.kubernetes.pod.namespace': 'shop' } }, ...world }],
    ],
    ['of Calico, for all pods', 'calico-globalnetworkpolicy/open', [calico, { selector: 'all()', ...allow }]],
    [
      'of Calico, by an unknown label of the namespace',
      'calico-globalnetworkpolicy/open',
      [calico, { selector: 'all()', namespaceSelector: "team == 'shop'", ...allow }],
    ],
    [
      'of Calico, as early as the deny tier',
      'calico-globalnetworkpolicy/open',
      [calico, { order: 0, ...allow }, 'GlobalNetworkPolicy'],
    ],
    ['of administrators, for all', 'adminnetworkpolicy/open', [admin, { priority: 5, ...everywhere, ...allow }]],
    ['of administrators, for its namespace', 'adminnetworkpolicy/open', [admin, { ...inNamespaces('a', 'shop'), ...allow }]],
    [
      'of administrators, as early as the deny tier',
      'adminnetworkpolicy/open',
      [admin, { priority: 0, ...everywhere, ...allow }, 'AdminNetworkPolicy'],
    ],
    ['of the cluster', 'clusternetworkpolicy/open', [cluster, { tier: 'Admin', priority: 5, ...everywhere, ...accept }]],
  ])('allows its traffic: %s', (_what, name, given) => {
    expect(at(given)).toEqual([name]);
  });

  test.each<[string, Case]>([
    [
      'of Cilium, for another namespace',
      [cilium, { endpointSelector: { matchLabels: { 'k8s:io.kubernetes.pod.namespace': 'kube-system' } }, ...world }],
    ],
    ['of Cilium, for nodes', [cilium, { nodeSelector: {}, ...world }]],
    ['of Cilium, which the deny tier denies', [cilium, { endpointSelector: {}, ...world }, 'CiliumClusterwideNetworkPolicy']],
    ['of Calico, for another namespace', [calico, { namespaceSelector: "projectcalico.org/name == 'ops'", ...allow }]],
    [
      'of Calico, for another namespace’s pods',
      [calico, { selector: "projectcalico.org/namespace in {'ops', 'dev'}", ...allow }],
    ],
    ['of Calico, for nodes', [calico, { selector: 'all()', preDNAT: true, ...allow }]],
    ['of Calico, after the deny tier', [calico, { selector: 'all()', order: 5, ...allow }, 'GlobalNetworkPolicy']],
    ['of administrators, for another namespace', [admin, { ...inNamespaces('ops'), ...allow }]],
    [
      'of administrators, for other pods',
      [admin, { subject: { pods: { podSelector: { matchLabels: { app: 'x' } } } }, ...allow }],
    ],
    ['of administrators, which passes on', [admin, { ...everywhere, egress: [{ action: 'Pass' }] }]],
    ['of administrators, after the deny tier', [admin, { priority: 5, ...everywhere, ...allow }, 'AdminNetworkPolicy']],
    ['of the baseline', [cluster, { tier: 'Baseline', ...everywhere, ...accept }]],
    ...denyTiers.map(({ kind, resource, spec }): [string, Case] => [`our deny tier, a ${kind}`, [resource, spec]]),
  ])('does not: %s', (_what, given) => {
    expect(at(given)).toEqual([]);
  });
});
