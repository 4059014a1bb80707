import { names } from '../../core/cluster/labels.ts';
import { anyNameInCel } from '../../core/text/name-pattern.ts';
import {
  type Account,
  onlyOwnAnnotations,
  ownAnnotations,
  policy,
  same,
  sameBut,
  sameNames,
  templateContainers,
  templateUpdates,
} from './policy.ts';

/**
 * A rotation changes the names of Secrets in pod templates, and rolls them out. Without this policy, `patch deployments` would let someone who steals the
 * secrets pool's account run anything anywhere, and `create secrets` get a token of any account; what remains is `get secrets` itself.
 */
export function secretsAdmission(options: {
  readonly account: Account;
  /** Whether it may restore an earlier template of a Deployment: admission cannot see which one that was. */
  readonly rollsBack: boolean;
  /** Namespaces in which nothing is ever done, in addition to Firebreak's own. */
  readonly closedNamespaces?: readonly string[] | undefined;
}): readonly object[] {
  const { account, rollsBack, closedNamespaces = [] } = options;
  const closed = {
    expression: `!(${anyNameInCel('request.namespace', [...new Set(['kube-system', account.namespace, ...closedNamespaces])])})`,
    message: 'Firebreak may rotate nothing in kube-system, in its own namespace and in those that are protected',
  };
  const mark = `'${names.rolledBackByAnnotation}'`;
  // The mark is part of the template, so a rollback cannot go unnoticed.
  const isRollback = `object.kind == 'Deployment' && ${mark} in variables.after && variables.after[${mark}] != variables.before[?${mark}].orValue('')`;
  const unless = (expression: string): string => (rollsBack ? `(${isRollback}) || (${expression})` : expression);
  const template = (object: string): string =>
    `dyn(${object}.spec.?jobTemplate.?spec.?template.orValue(${object}.spec.?template.orValue({})))`;
  return [
    ...policy({
      name: `${account.name}-secrets`,
      pool: 'secrets',
      account,
      rule: { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE', 'DELETE'], resources: ['secrets'] },
      variables: [{ name: 'type', expression: `(request.operation == 'DELETE' ? oldObject : object).?type.orValue('Opaque')` }],
      validations: [
        closed,
        {
          // The control plane writes a token of an account into a Secret that requests it, and a Secret of type bootstrap.kubernetes.io/token
          // lets anyone who knows it join the cluster: only types on the list may be created.
          expression: `variables.type in [${rotated}] || (request.operation == 'DELETE' && variables.type == 'kubernetes.io/service-account-token')`,
          message: 'Firebreak may make and delete only Secrets of the types that it rotates, and delete the tokens of an account',
        },
      ],
    }),
    ...policy({
      name: `${account.name}-templates`,
      pool: 'secrets',
      account,
      rule: templateUpdates,
      variables: [
        ...ownAnnotations,
        { name: 'wasTemplate', expression: template('oldObject') },
        { name: 'isTemplate', expression: template('object') },
        { name: 'templateBefore', expression: 'variables.wasTemplate.?metadata.?annotations.orValue({})' },
        { name: 'templateAfter', expression: 'variables.isTemplate.?metadata.?annotations.orValue({})' },
        { name: 'was', expression: 'variables.wasTemplate.spec' },
        { name: 'is', expression: 'variables.isTemplate.spec' },
        ...templateContainers,
      ],
      validations: [
        closed,
        {
          expression: [
            same('object.metadata.?labels', 'object.metadata.?finalizers'),
            sameBut('object.spec', 'oldObject.spec', 'template', 'jobTemplate'),
            sameBut('object.spec.?jobTemplate.orValue({})', 'oldObject.spec.?jobTemplate.orValue({})', 'spec'),
            sameBut('object.spec.?jobTemplate.?spec.orValue({})', 'oldObject.spec.?jobTemplate.?spec.orValue({})', 'template'),
          ].join(' && '),
          message: 'Firebreak may change the pod template of a workload, nothing else of it',
        },
        {
          expression: unless(
            [
              'variables.isTemplate.?metadata.?labels == variables.wasTemplate.?metadata.?labels',
              sameBut('variables.is', 'variables.was', 'containers', 'initContainers', 'volumes'),
              ...['containers', 'initContainers', 'volumes'].map((list) =>
                sameNames(`variables.is.?${list}.orValue([])`, `variables.was.?${list}.orValue([])`),
              ),
              `variables.areContainers.all(c, variables.wereContainers.exists(o, o.name == c.name && ${sameBut('c', 'o', 'env', 'envFrom')} && ${onlySecretsDiffer}))`,
              `variables.is.?volumes.orValue([]).all(v, variables.was.?volumes.orValue([]).exists(w, w.name == v.name && (${volumeIs})))`,
            ].join(' && '),
          ),
          message: `Firebreak may change which Secrets a pod template names, and nothing else of what a workload runs${rollsBack ? ', but by a rollback of a Deployment, which it marks' : ''}`,
        },
        onlyOwnAnnotations('a workload'),
        onlyOwnAnnotations('a pod template', { from: 'templateBefore', to: 'templateAfter', unless }),
      ],
    }),
  ];
}

/** The types that `rotateSecret` rotates. */
const rotated = ['Opaque', 'kubernetes.io/basic-auth'].map((type) => `'${type}'`).join(', ');

const onlySecretsDiffer = [
  sameNames('c.?env.orValue([])', 'o.?env.orValue([])'),
  `c.?env.orValue([]).all(e, o.?env.orValue([]).exists(f, f == e || (f.name == e.name && f.?valueFrom.?secretKeyRef.hasValue() && e.?valueFrom.?secretKeyRef.?key == f.valueFrom.secretKeyRef.?key)))`,
  `c.?envFrom.orValue([]).size() == o.?envFrom.orValue([]).size()`,
  `c.?envFrom.orValue([]).all(e, o.?envFrom.orValue([]).exists(f, f == e || (f.?secretRef.hasValue() && e.?secretRef.hasValue() && f.?prefix == e.?prefix)))`,
].join(' && ');

const volumeIs = [
  'v == w',
  `(w.?secret.hasValue() && v.?secret.hasValue() && ${sameBut('v.secret', 'w.secret', 'secretName')})`,
  `(w.?projected.hasValue() && v.?projected.hasValue() && v.projected.sources.size() == w.projected.sources.size() && ${sameBut('v.projected', 'w.projected', 'sources')} && v.projected.sources.all(s, s in w.projected.sources || s.?secret.hasValue()))`,
].join(' || ');
