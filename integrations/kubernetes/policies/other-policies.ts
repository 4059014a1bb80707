import type { LabelSelector, PolicyRecord } from '../../../core/cluster/pod-record.ts';
import { digestOf } from '../../../core/text/digest.ts';

/** A policy of a network plugin, as far as it is read here. */
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

export interface OtherPolicyKind {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly record: (policy: OtherPolicyJson) => PolicyRecord;
}

/** A cluster has those of its plugin; Calico's stand in one of two groups, or in both. */
export const otherPolicyKinds: readonly OtherPolicyKind[] = [
  { group: 'cilium.io', version: 'v2', resource: 'ciliumnetworkpolicies', record: ciliumRecord },
  { group: 'crd.projectcalico.org', version: 'v1', resource: 'networkpolicies', record: calicoRecord },
  { group: 'projectcalico.org', version: 'v3', resource: 'networkpolicies', record: calicoRecord },
];

/**
 * https://docs.cilium.io/en/stable/security/policy/intro/: a rule without any peer allows nothing (`ingress: [{}]`), each other one adds to what
 * is allowed; a denial is stronger than any of them.
 */
function ciliumRecord(policy: OtherPolicyJson): PolicyRecord {
  const rules = [policy.spec, ...listOf(policy.specs)].filter((rule) => rule !== undefined);
  const allowing = rules.filter((rule) => [...listIn(rule, 'ingress'), ...listIn(rule, 'egress')].some(isNotEmpty));
  return recordOf(policy, {
    kind: 'CiliumNetworkPolicy',
    selectors: allowing.map((rule) => ciliumSelector(fieldIn(rule, 'endpointSelector'))),
    deniedBy: ['CiliumClusterwideNetworkPolicy'],
  });
}

/**
 * https://docs.tigera.io/calico/latest/reference/resources/networkpolicy: whatever its order, it is asked before the end of its tier denies. Only one that
 * comes after the deny tier, in the same tier, is too late.
 */
function calicoRecord(policy: OtherPolicyJson): PolicyRecord {
  const { spec } = policy;
  const [order, tier] = [fieldIn(spec, 'order'), fieldIn(spec, 'tier')];
  const comesLater =
    (tier === undefined || tier === 'default') && (order === undefined || (typeof order === 'number' && order > 0));
  const allows = [...listIn(spec, 'ingress'), ...listIn(spec, 'egress')].some(
    (rule) => !['Deny', 'Log'].includes(String(fieldIn(rule, 'action'))),
  );
  return recordOf(policy, {
    kind: 'Calico NetworkPolicy',
    selectors: allows ? [calicoSelector(fieldIn(spec, 'selector'))] : [],
    deniedBy: comesLater ? ['GlobalNetworkPolicy'] : [],
  });
}

function recordOf(
  { metadata = {}, spec, specs }: OtherPolicyJson,
  of: Required<Pick<PolicyRecord, 'kind' | 'deniedBy'>> & { readonly selectors: readonly LabelSelector[] },
): PolicyRecord {
  const { kind, selectors, deniedBy } = of;
  const [selector = {}, ...alsoSelects] = selectors;
  return {
    kind,
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    selector,
    ...(alsoSelects.length > 0 && { alsoSelects }),
    allows: selectors.length > 0,
    allowsFromOutside: selectors.length > 0,
    specDigest: digestOf({ spec: spec ?? null, specs: specs ?? null }),
    deniedBy,
  };
}

/** Cilium writes where a label comes from before its name (`k8s:app`). What it knows besides labels may select, as far as we know. */
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

/** https://docs.tigera.io/calico/latest/reference/resources/networkpolicy#selector: what is joined by `&&`. What cannot be read may select. */
function calicoSelector(text: unknown): LabelSelector {
  if (typeof text !== 'string' || /[()]|\|\|/.test(text.replace(/(has\([^()]*|all\()\)/g, ''))) return {};
  const terms = text.split('&&').map((term) => term.trim());
  return { matchExpressions: terms.flatMap((term) => calicoTerm(term)) };
}

type Expression = NonNullable<LabelSelector['matchExpressions']>[number];

function calicoTerm(term: string): readonly Expression[] {
  const [, not, has] = /^(!?)\s*has\(\s*([\w./-]+)\s*\)$/.exec(term) ?? [];
  if (has !== undefined) return plain({ key: has, operator: not ? 'DoesNotExist' : 'Exists' });
  const [, key = '', operator, one] = /^([\w./-]+)\s*(==|!=)\s*['"]([^'"]*)['"]$/.exec(term) ?? [];
  if (one !== undefined) return plain({ key, operator: operator === '==' ? 'In' : 'NotIn', values: [one] });
  const [, among = '', list, values] = /^([\w./-]+)\s+(in|not in)\s*\{([^{}]*)\}$/.exec(term) ?? [];
  if (values === undefined) return [];
  const named = Array.from(values.matchAll(/['"]([^'"]*)['"]/g), ([, value = '']) => value);
  return plain({ key: among, operator: list === 'in' ? 'In' : 'NotIn', values: named });
}

/** Calico gives each pod labels of its own besides: of these nothing is known here. */
function plain(expression: Expression): readonly Expression[] {
  return /^(projectcalico\.org\/|pcns\.|pcsa\.)/.test(expression.key) ? [] : [expression];
}

function isNotEmpty(rule: unknown): boolean {
  return typeof rule !== 'object' || rule === null || Object.keys(rule).length > 0;
}

function fieldIn(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Object.entries(value).find(([key]) => key === name)?.[1] : undefined;
}

/** What should be a list and is none counts as one thing that is not known. */
function listIn(value: unknown, name: string): readonly unknown[] {
  return listOf(fieldIn(value, name));
}

function listOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}
