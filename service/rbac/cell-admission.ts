import { doNotDisrupt, names } from '../../core/cluster/labels.ts';
import { fluxReconcile } from '../../integrations/kubernetes/gitops/declarers.ts';
import { frozenTemplates, hardeningAdmission } from './hardening-admission.ts';
import { type Account, onlyOwnAnnotations, ownAnnotations, policy, same, sameBut, templateUpdates } from './policy.ts';
import { quarantineAdmission } from './quarantine-admission.ts';

/**
 * What RBAC cannot express: `patch pods` would let its holder change images, and `create networkpolicies` open a namespace. With these policies, someone who
 * steals the cell's account can label pods and write policies with our names and selectors, and nothing more of that kind.
 * https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
 */
export function cellAdmission(options: {
  readonly account: Account;
  /** Whether it may remove rights from the containers of a pod template. */
  readonly hardens: boolean;
}): readonly object[] {
  const { account, hardens } = options;
  return [
    ...policy({
      name: `${account.name}-pods`,
      account,
      rule: { apiGroups: [''], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['pods'] },
      variables: ownAnnotations,
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
      variables: ownAnnotations,
      validations: [
        {
          expression: [
            same('object.metadata.?labels', 'object.metadata.?finalizers'),
            sameBut('object.spec', 'oldObject.spec', 'unschedulable'),
          ].join(' && '),
          message: 'Firebreak may cordon and uncordon a node, nothing else',
        },
        onlyOwnAnnotations('a node'),
      ],
    }),
    ...policy({
      name: `${account.name}-workloads`,
      account,
      rule: templateUpdates,
      variables: [...ownAnnotations, ...templateAnnotations, mayPauseFlux],
      validations: [
        {
          expression: [
            same('object.metadata.?labels', 'object.metadata.?finalizers', 'object.spec.?template.?metadata.?labels'),
            sameBut('object.spec', 'oldObject.spec', 'paused', 'suspend', 'replicas', 'template'),
          ].join(' && '),
          message: 'Firebreak may pause, suspend, scale and roll a workload, and change nothing else of it',
        },
        onlyOwnAnnotations('a workload', { moreWhere: `variables.mayPauseFlux && k == '${fluxReconcile}'` }),
        onlyOwnAnnotations('a pod template', { from: 'templateBefore', to: 'templateAfter' }),
      ],
    }),
    ...(hardens ? hardeningAdmission(account) : frozenTemplates(account)),
    ...quarantineAdmission(account),
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
          // Everything deleted or created besides the standing policy has one of our names, and never selects a quarantined pod: an
          // exception in it must not open what the standing policy closes.
          name: 'isOurs',
          expression: `['${names.isolatingPolicies}', '${names.egressPolicies}'].exists(prefix, (request.operation == 'DELETE' ? oldObject : object).metadata.name.startsWith(prefix))`,
        },
      ],
      validations: [
        {
          expression: `request.operation == 'DELETE' ? variables.isOurs : ((${isStandingPolicy}) || (request.operation == 'CREATE' && variables.isOurs && ${sparesQuarantined}))`,
          message: `Firebreak may write only the policy ${names.standingPolicy}, which denies to quarantined pods everything but DNS and one namespace, and policies named ${names.isolatingPolicies}… and ${names.egressPolicies}… that do not select them`,
        },
      ],
    }),
  ];
}

/** Anyone who may read what Flux declares may make it leave a workload alone: see `pausing-manifests.ts`. Evaluated once, because it is expensive. */
const mayPauseFlux = {
  name: 'mayPauseFlux',
  expression: `authorizer.group('kustomize.toolkit.fluxcd.io').resource('kustomizations').check('get').allowed()`,
};

const templateAnnotations = [
  { name: 'templateBefore', expression: 'oldObject.spec.?template.?metadata.?annotations.orValue({})' },
  { name: 'templateAfter', expression: 'object.spec.?template.?metadata.?annotations.orValue({})' },
];

const oneNamespace = `(p.?namespaceSelector.?matchLabels.orValue({}).size() == 1 && 'kubernetes.io/metadata.name' in p.namespaceSelector.matchLabels && p.namespaceSelector.?matchExpressions.orValue([]).size() == 0)`;
const oneAddress = `(p.ipBlock.cidr.endsWith('/32') || p.ipBlock.cidr.endsWith('/128'))`;

const isStandingPolicy = [
  `object.metadata.name == '${names.standingPolicy}'`,
  `object.spec.podSelector.?matchLabels.orValue({}) == {'${names.quarantineLabel}': 'active'}`,
  'object.spec.podSelector.?matchExpressions.orValue([]).size() == 0',
  // Exceptions only in the shapes that the configuration can express: ingress from pods of one namespace, and egress to port 53.
  `object.spec.?ingress.orValue([]).all(r, r.?ports.orValue([]).size() == 0 && r.?from.orValue([]).size() > 0 && r.from.all(p, !has(p.ipBlock) && !has(p.podSelector) && ${oneNamespace}))`,
  `object.spec.?egress.orValue([]).all(r, r.?ports.orValue([]).size() > 0 && r.ports.all(p, p.?port.orValue(0) == 53 && !has(p.endPort)) && r.?to.orValue([]).size() > 0 && r.to.all(p, has(p.ipBlock) ? ${oneAddress} : ${oneNamespace} && p.?podSelector.?matchLabels.orValue({}).size() > 0))`,
].join(' && ');

const sparesQuarantined = `object.spec.podSelector.?matchExpressions.orValue([]).exists(e, e.key == '${names.quarantineLabel}' && e.operator == 'NotIn' && e.?values.orValue([]) == ['active'])`;
