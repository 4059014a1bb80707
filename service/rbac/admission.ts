import { doNotDisrupt, names } from '../../core/labels.ts';

/**
 * What RBAC cannot say: `patch pods` would let its holder change images, and `create networkpolicies` open a namespace. With these
 * policies a thief of the cell's account can label pods and write policies of the names and selectors that ours have, and no more of that kind.
 * https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
 */
export function cellAdmission(account: { readonly namespace: string; readonly name: string }): readonly object[] {
  return [
    ...policy({
      name: `${account.name}-pods`,
      account,
      rule: { apiGroups: [''], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['pods'] },
      variables: annotations,
      validations: [
        {
          expression: 'object.spec == oldObject.spec && object.metadata.?finalizers == oldObject.metadata.?finalizers',
          message: 'Firebreak may change the labels and its own annotations of a pod, nothing else',
        },
        onlyOwnAnnotations('a pod', { more: Object.keys(doNotDisrupt) }),
      ],
    }),
    ...policy({
      name: `${account.name}-nodes`,
      account,
      rule: { apiGroups: [''], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['nodes'] },
      variables: annotations,
      validations: [
        {
          expression: same(
            'object.metadata.?labels',
            'object.metadata.?finalizers',
            'object.spec.?taints',
            'object.spec.?podCIDRs',
            'object.spec.?providerID',
          ),
          message: 'Firebreak may make a node unschedulable and give that back, nothing else',
        },
        onlyOwnAnnotations('a node'),
      ],
    }),
    ...policy({
      name: `${account.name}-workloads`,
      account,
      rule: {
        apiGroups: ['apps', 'batch'],
        apiVersions: ['v1'],
        operations: ['UPDATE'],
        resources: ['deployments', 'statefulsets', 'daemonsets', 'cronjobs'],
      },
      variables: [...annotations, ...templateAnnotations],
      validations: [
        {
          expression: same(
            'object.metadata.?labels',
            'object.metadata.?finalizers',
            'object.spec.?template.?spec',
            'object.spec.?template.?metadata.?labels',
            'object.spec.?jobTemplate',
            'object.spec.?schedule',
          ),
          message: 'Firebreak may pause, suspend, scale and roll a workload, and change nothing of what it runs',
        },
        onlyOwnAnnotations('a workload'),
        onlyOwnAnnotations('a pod template', { from: 'templateBefore', to: 'templateAfter' }),
      ],
    }),
    ...policy({
      name: `${account.name}-networkpolicies`,
      account,
      rule: {
        apiGroups: ['networking.k8s.io'],
        apiVersions: ['v1'],
        operations: ['CREATE', 'UPDATE', 'DELETE'],
        resources: ['networkpolicies'],
      },
      variables: [
        {
          // Whatever is deleted or made besides the standing policy has a name of ours, and never selects a quarantined pod: an
          // exception in it must not open what the standing policy closes.
          name: 'isOurs',
          expression: `['firebreak-isolate-', 'firebreak-egress-'].exists(prefix, (request.operation == 'DELETE' ? oldObject : object).metadata.name.startsWith(prefix))`,
        },
      ],
      validations: [
        {
          expression: `request.operation == 'DELETE' ? variables.isOurs : ((${isStandingPolicy}) || (request.operation == 'CREATE' && variables.isOurs && ${sparesQuarantined}))`,
          message: `Firebreak may write only the policy ${names.standingPolicy}, which denies to quarantined pods everything but DNS and one namespace, and policies named firebreak-isolate-… and firebreak-egress-… that do not select them`,
        },
      ],
    }),
  ];
}

/**
 * `bind` lets its holder give any role to anybody. With this policy a thief of the account can take a ServiceAccount out of a binding,
 * which notes its name there, and put exactly that one back.
 */
export function bindingAdmission(account: { readonly namespace: string; readonly name: string }): readonly object[] {
  const revoked = `'${names.revokedAnnotation}'`;
  const is = (map: string): string =>
    `((s.kind == 'ServiceAccount' && ${map}[?${revoked}].orValue('') == s.?namespace.orValue('') + '/' + s.name) || (s.kind == 'User' && 'system:serviceaccount:' + ${map}[?${revoked}].orValue('').replace('/', ':') == s.name))`;
  return policy({
    name: `${account.name}-bindings`,
    account,
    rule: {
      apiGroups: ['rbac.authorization.k8s.io'],
      apiVersions: ['v1'],
      operations: ['CREATE', 'UPDATE'],
      resources: ['rolebindings', 'clusterrolebindings'],
    },
    variables: [
      { name: 'before', expression: 'oldObject.metadata.?annotations.orValue({})' },
      { name: 'after', expression: 'object.metadata.?annotations.orValue({})' },
      { name: 'had', expression: 'oldObject.?subjects.orValue([])' },
      { name: 'has', expression: 'object.?subjects.orValue([])' },
    ],
    validations: [
      {
        expression: `request.operation == 'UPDATE' && variables.has.all(s, s in variables.had || ${is('variables.before')})`,
        message: 'Firebreak may give back to a binding only the account that it took out of it',
      },
      {
        expression: `!(${revoked} in variables.after) || variables.before[?${revoked}].orValue('') == variables.after[${revoked}] || (!(${revoked} in variables.before) && variables.had.exists(s, ${is('variables.after')}) && !variables.has.exists(s, ${is('variables.after')}))`,
        message: 'Firebreak may note only an account that it takes out of the binding',
      },
      {
        expression: same('object.metadata.?labels', 'object.metadata.?finalizers', 'object.roleRef'),
        message: 'Firebreak may change the subjects of a binding, nothing else',
      },
      onlyOwnAnnotations('a binding'),
    ],
  });
}

const annotations = [
  { name: 'before', expression: 'oldObject.metadata.?annotations.orValue({})' },
  { name: 'after', expression: 'object.metadata.?annotations.orValue({})' },
];

const templateAnnotations = [
  { name: 'templateBefore', expression: 'oldObject.spec.?template.?metadata.?annotations.orValue({})' },
  { name: 'templateAfter', expression: 'object.spec.?template.?metadata.?annotations.orValue({})' },
];

/** @param options.more annotations that may be changed besides our own */
function onlyOwnAnnotations(
  what: string,
  options: { readonly from?: string; readonly to?: string; readonly more?: readonly string[] } = {},
): object {
  const { from = 'before', to = 'after', more = [] } = options;
  const ours = [`k.startsWith('firebreak.dev/')`, ...more.map((name) => `k == '${name}'`)].join(' || ');
  const [before, after] = [`variables.${from}`, `variables.${to}`];
  return {
    expression: `${after}.all(k, ${ours} || (k in ${before} && ${before}[k] == ${after}[k])) && ${before}.all(k, ${ours} || k in ${after})`,
    message: `Firebreak may change no annotations of ${what} but its own${more.length > 0 ? ' and those that keep autoscalers from it' : ''}`,
  };
}

/** These fields are as they were. */
function same(...fields: readonly string[]): string {
  return fields.map((field) => `${field} == ${field.replace('object', 'oldObject')}`).join(' && ');
}

const oneNamespace = `(p.?namespaceSelector.?matchLabels.orValue({}).size() == 1 && 'kubernetes.io/metadata.name' in p.namespaceSelector.matchLabels && p.namespaceSelector.?matchExpressions.orValue([]).size() == 0)`;
const oneAddress = `(p.ipBlock.cidr.endsWith('/32') || p.ipBlock.cidr.endsWith('/128'))`;

const isStandingPolicy = [
  `object.metadata.name == '${names.standingPolicy}'`,
  `object.spec.podSelector.?matchLabels.orValue({}) == {'${names.quarantineLabel}': 'active'}`,
  'object.spec.podSelector.?matchExpressions.orValue([]).size() == 0',
  // Of exceptions only the shapes that the configuration can name: pods of one namespace come in, and port 53 is asked.
  `object.spec.?ingress.orValue([]).all(r, r.?ports.orValue([]).size() == 0 && r.?from.orValue([]).size() > 0 && r.from.all(p, !has(p.ipBlock) && !has(p.podSelector) && ${oneNamespace}))`,
  `object.spec.?egress.orValue([]).all(r, r.?ports.orValue([]).size() > 0 && r.ports.all(p, p.?port.orValue(0) == 53 && !has(p.endPort)) && r.?to.orValue([]).size() > 0 && r.to.all(p, has(p.ipBlock) ? ${oneAddress} : ${oneNamespace} && p.?podSelector.?matchLabels.orValue({}).size() > 0))`,
].join(' && ');

const sparesQuarantined = `object.spec.podSelector.?matchExpressions.orValue([]).exists(e, e.key == '${names.quarantineLabel}' && e.operator == 'DoesNotExist')`;

export function policy(options: {
  readonly name: string;
  /** The pool that the account is of; the cell where not given. */
  readonly pool?: 'cell' | 'forensics';
  readonly account: { readonly namespace: string; readonly name: string };
  readonly rule: object;
  readonly variables: readonly object[];
  readonly validations: readonly object[];
}): readonly object[] {
  const { name, pool = 'cell', account, rule, variables, validations } = options;
  const metadata = { name, labels: { 'app.kubernetes.io/name': 'firebreak', 'app.kubernetes.io/component': pool } };
  const apiVersion = 'admissionregistration.k8s.io/v1';
  return [
    {
      apiVersion,
      kind: 'ValidatingAdmissionPolicy',
      metadata,
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: { resourceRules: [rule] },
        matchConditions: [
          {
            name: pool === 'cell' ? 'is-the-cell' : `is-the-${pool}-pool`,
            expression: `request.userInfo.username == 'system:serviceaccount:${account.namespace}:${account.name}'`,
          },
        ],
        ...(variables.length > 0 && { variables }),
        validations,
      },
    },
    { apiVersion, kind: 'ValidatingAdmissionPolicyBinding', metadata, spec: { policyName: name, validationActions: ['Deny'] } },
  ];
}
