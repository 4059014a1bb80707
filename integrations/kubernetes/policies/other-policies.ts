import type { LabelSelector, PolicyRecord } from '../../../core/cluster/pod-record.ts';
import { digestOf } from '../../../core/text/digest.ts';

/** A network plugin's policy, as far as it is read here. */
export interface OtherPolicyJson {
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
  };
  readonly spec?: unknown;
  readonly specs?: unknown;
}

interface OtherPolicyKind {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly record: (policy: OtherPolicyJson) => PolicyRecord;
}

/** A cluster has those of its plugin; Calico's are in one of two groups, or in both. */
export const otherPolicyKinds: readonly OtherPolicyKind[] = [
  { group: 'cilium.io', version: 'v2', resource: 'ciliumnetworkpolicies', record: ciliumRecord },
  { group: 'crd.projectcalico.org', version: 'v1', resource: 'networkpolicies', record: calicoRecord },
  { group: 'projectcalico.org', version: 'v3', resource: 'networkpolicies', record: calicoRecord },
  { group: 'cilium.io', version: 'v2', resource: 'ciliumclusterwidenetworkpolicies', record: ciliumRecord },
  { group: 'crd.projectcalico.org', version: 'v1', resource: 'globalnetworkpolicies', record: calicoRecord },
  { group: 'projectcalico.org', version: 'v3', resource: 'globalnetworkpolicies', record: calicoRecord },
  { group: 'policy.networking.k8s.io', version: 'v1alpha1', resource: 'adminnetworkpolicies', record: adminRecord },
  { group: 'policy.networking.k8s.io', version: 'v1alpha2', resource: 'clusternetworkpolicies', record: adminRecord },
];

/**
 * https://docs.cilium.io/en/stable/security/policy/intro/: a rule without any peer allows nothing (`ingress: [{}]`), every other rule adds to what is allowed;
 * a denial overrides all of them. A policy that selects nodes does not apply to pods.
 */
function ciliumRecord(policy: OtherPolicyJson): PolicyRecord {
  const rules = [policy.spec, ...listOf(policy.specs)].filter((rule) => rule !== undefined);
  const allowing = rules.filter(
    (rule) =>
      fieldIn(rule, 'nodeSelector') === undefined && [...listIn(rule, 'ingress'), ...listIn(rule, 'egress')].some(isNotEmpty),
  );
  const selectors = allowing.map((rule) => fieldIn(rule, 'endpointSelector'));
  return recordOf(policy, {
    kind: policy.metadata?.namespace === undefined ? 'CiliumClusterwideNetworkPolicy' : 'CiliumNetworkPolicy',
    selectors: selectors.map(ciliumSelector),
    onlyIn: together(
      selectors.map((selector) => namesIn(selector, (key) => /^(k8s:|any:)?io\.kubernetes\.pod\.namespace$/.test(key))),
    ),
    deniedBy: ['CiliumClusterwideNetworkPolicy'],
  });
}

/**
 * https://docs.tigera.io/calico/latest/reference/resources/networkpolicy and …/globalnetworkpolicy: whatever its order, it is evaluated before the end of its
 * tier denies. Only one that comes after the deny tier, in the same tier, is too late.
 */
function calicoRecord(policy: OtherPolicyJson): PolicyRecord {
  const { spec } = policy;
  const [order, tier] = [fieldIn(spec, 'order'), fieldIn(spec, 'tier')];
  const comesLater =
    (tier === undefined || tier === 'default') && (order === undefined || (typeof order === 'number' && order > 0));
  const allows = [...listIn(spec, 'ingress'), ...listIn(spec, 'egress')].some(
    (rule) => !['Deny', 'Log'].includes(String(fieldIn(rule, 'action'))),
  );
  // Evaluated before the node's own routing, so it concerns traffic to nodes.
  const isOfNodes = fieldIn(spec, 'doNotTrack') === true || fieldIn(spec, 'preDNAT') === true;
  const selector = calicoSelector(fieldIn(spec, 'selector'));
  const onlyIn = together(
    [
      namesIn(selector, (key) => key === 'projectcalico.org/namespace'),
      namesIn(calicoSelector(fieldIn(spec, 'namespaceSelector')), isNamespaceName),
    ].filter((names) => names !== undefined),
  );
  return recordOf(policy, {
    kind: policy.metadata?.namespace === undefined ? 'Calico GlobalNetworkPolicy' : 'Calico NetworkPolicy',
    selectors: allows && !isOfNodes ? [ofPods(selector)] : [],
    onlyIn,
    deniedBy: comesLater ? ['GlobalNetworkPolicy'] : [],
  });
}

/**
 * https://network-policy-api.sigs.k8s.io/reference/spec/: evaluated before the NetworkPolicies, the lowest priority first; nothing later denies what it allows.
 * Baseline policies are evaluated afterwards, when the standing policy has already denied.
 */
function adminRecord(policy: OtherPolicyJson): PolicyRecord {
  const { spec } = policy;
  const [priority, tier, subject] = [fieldIn(spec, 'priority'), fieldIn(spec, 'tier'), fieldIn(spec, 'subject')];
  const kind = tier === undefined ? 'AdminNetworkPolicy' : 'ClusterNetworkPolicy';
  const allows = [...listIn(spec, 'ingress'), ...listIn(spec, 'egress')].some(
    (rule) => !['Deny', 'Pass'].includes(String(fieldIn(rule, 'action'))),
  );
  const pods = fieldIn(subject, 'pods');
  const namespaces = pods === undefined ? fieldIn(subject, 'namespaces') : fieldIn(pods, 'namespaceSelector');
  return recordOf(policy, {
    kind,
    selectors: allows && tier !== 'Baseline' ? [plainSelector(fieldIn(pods, 'podSelector'))] : [],
    onlyIn: namesIn(namespaces, isNamespaceName),
    deniedBy: typeof priority === 'number' && priority > 0 ? [kind] : [],
  });
}

function recordOf(
  { metadata = {}, spec, specs }: OtherPolicyJson,
  of: Required<Pick<PolicyRecord, 'kind' | 'deniedBy'>> & {
    readonly selectors: readonly LabelSelector[];
    readonly onlyIn: readonly string[] | undefined;
  },
): PolicyRecord {
  const { kind, selectors, onlyIn, deniedBy } = of;
  const [selector = {}, ...alsoSelects] = selectors;
  const namespace = metadata.namespace ?? '';
  return {
    kind,
    namespace,
    name: metadata.name ?? '',
    selector,
    ...(alsoSelects.length > 0 && { alsoSelects }),
    ...(namespace === '' && onlyIn && { onlyIn }),
    allows: selectors.length > 0,
    allowsFromOutside: selectors.length > 0,
    specDigest: digestOf({ spec: spec ?? null, specs: specs ?? null }),
    deniedBy,
  };
}

/** Kubernetes writes the first of these on each namespace; Calico uses the second. */
function isNamespaceName(key: string): boolean {
  return key === 'kubernetes.io/metadata.name' || key === 'projectcalico.org/name';
}

/** The only names that a label selector admits for things named by such a label; undefined if it admits any. */
function namesIn(selector: unknown, isName: (key: string) => boolean): readonly string[] | undefined {
  const named = Object.entries(Object(fieldIn(selector, 'matchLabels'))).find(([key]) => isName(key));
  if (named) return [String(named[1])];
  const among = listIn(selector, 'matchExpressions').find(
    (one) => isName(String(fieldIn(one, 'key'))) && fieldIn(one, 'operator') === 'In',
  );
  return among === undefined ? undefined : listIn(among, 'values').map(String);
}

/** All names that they admit; undefined if one of them admits any. */
function together(names: readonly (readonly string[] | undefined)[]): readonly string[] | undefined {
  const known = names.filter((one) => one !== undefined);
  return names.length > 0 && known.length === names.length ? known.flat() : undefined;
}

/** Kubernetes' own form. An unknown operator is assumed to select. */
function plainSelector(selector: unknown): LabelSelector {
  const labels = Object.entries(Object(fieldIn(selector, 'matchLabels'))).map(([key, value]) => [key, String(value)] as const);
  const expressions = listIn(selector, 'matchExpressions').map((one) => ({
    key: String(fieldIn(one, 'key')),
    operator: String(fieldIn(one, 'operator')),
    values: listIn(one, 'values').map(String),
  }));
  return { matchLabels: Object.fromEntries(labels), matchExpressions: expressions };
}

/** Cilium prefixes a label's name with its source (`k8s:app`). Anything it matches other than labels is assumed to select. */
function ciliumSelector(selector: unknown): LabelSelector {
  const known = (key: string): string | undefined =>
    /^[a-z-]+:/.test(key) && !/^(k8s|any):/.test(key) ? undefined : key.replace(/^(k8s|any):/, '');
  const labels = Object.entries(Object(fieldIn(selector, 'matchLabels'))).flatMap(([key, value]): readonly [string, string][] => {
    const name = known(key);
    return name === undefined || name.startsWith('io.') || typeof value !== 'string' ? [] : [[name, value]];
  });
  const expressions = listIn(selector, 'matchExpressions').flatMap((one) => {
    const name = known(String(fieldIn(one, 'key')));
    if (name === undefined || name.startsWith('io.')) return [];
    const values = listIn(one, 'values').map(String);
    return [{ key: name, operator: String(fieldIn(one, 'operator')), values }];
  });
  return { matchLabels: Object.fromEntries(labels), matchExpressions: expressions };
}

/**
 * https://docs.tigera.io/calico/latest/reference/resources/networkpolicy#selector: terms joined by `&&`. A selector that cannot be parsed is assumed to select.
 */
function calicoSelector(text: unknown): LabelSelector {
  if (typeof text !== 'string' || /[()]|\|\|/.test(text.replace(/(has\([^()]*|all\()\)/g, ''))) return {};
  const terms = text.split('&&').map((term) => term.trim());
  return { matchExpressions: terms.flatMap((term) => calicoTerm(term)) };
}

type Expression = NonNullable<LabelSelector['matchExpressions']>[number];

function calicoTerm(term: string): readonly Expression[] {
  const [, not, has] = /^(!?)\s*has\(\s*([\w./-]+)\s*\)$/.exec(term) ?? [];
  if (has !== undefined) return [{ key: has, operator: not ? 'DoesNotExist' : 'Exists' }];
  const [, key = '', operator, one] = /^([\w./-]+)\s*(==|!=)\s*['"]([^'"]*)['"]$/.exec(term) ?? [];
  if (one !== undefined) return [{ key, operator: operator === '==' ? 'In' : 'NotIn', values: [one] }];
  const [, among = '', list, values] = /^([\w./-]+)\s+(in|not in)\s*\{([^{}]*)\}$/.exec(term) ?? [];
  if (values === undefined) return [];
  const named = Array.from(values.matchAll(/['"]([^'"]*)['"]/g), ([, value = '']) => value);
  return [{ key: among, operator: list === 'in' ? 'In' : 'NotIn', values: named }];
}

/** Calico also gives each pod labels of its own, which are not known here. */
function ofPods({ matchExpressions = [] }: LabelSelector): LabelSelector {
  return { matchExpressions: matchExpressions.filter(({ key }) => !/^(projectcalico\.org\/|pcns\.|pcsa\.)/.test(key)) };
}

function isNotEmpty(rule: unknown): boolean {
  return typeof rule !== 'object' || rule === null || Object.keys(rule).length > 0;
}

function fieldIn(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Object.entries(value).find(([key]) => key === name)?.[1] : undefined;
}

/** A value that should be a list and is not counts as one unknown item. */
function listIn(value: unknown, name: string): readonly unknown[] {
  return listOf(fieldIn(value, name));
}

function listOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}
