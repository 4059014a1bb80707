import { doNotDisrupt, names } from '../../core/cluster/labels.ts';
import { type Account, annotations, isBy, policy, same } from './policy.ts';

/** The RBAC right required to remove a quarantine by hand. It is not a resource that a server has, but a ClusterRole may still name it. */
const release = { group: 'firebreak.dev', resource: 'quarantines', verb: 'release' } as const;

const mayRelease = `authorizer.group('${release.group}').resource('${release.resource}').namespace(request.namespace).check('${release.verb}').allowed()`;
const who = `who may ${release.verb} ${release.resource}.${release.group}`;

/**
 * Anyone who may patch pods and write policies in a namespace, as its tenants may, could remove a quarantine, or open a hole in it: with a label that another
 * policy selects, with another before-state for the release to restore, or by changing the policy itself. With these policies only the cell and administrators
 * can: those who have every right, or were granted `release` on `quarantines.firebreak.dev`. Status, deletion and owners are not protected.
 */
export function quarantineAdmission(account: Account): readonly object[] {
  const isNotTheCell = { name: 'is-not-the-cell', expression: `!(${isBy(account)})` };
  const kept = [
    `k.startsWith('firebreak.dev/')`,
    ...Object.keys(doNotDisrupt)
      .sort()
      .map((name) => `k == '${name}'`),
  ].join(' || ');
  const keeps = (one: string, other: string): string =>
    `variables.${one}.all(k, !(${kept}) || (k in variables.${other} && variables.${other}[k] == variables.${one}[k]))`;
  const isOurs = [
    `name == '${names.standingPolicy}'`,
    ...[names.isolatingPolicies, names.egressPolicies].map((prefix) => `name.startsWith('${prefix}')`),
  ].join(' || ');
  return [
    ...policy({
      name: `${account.name}-quarantined-pods`,
      rule: { apiGroups: [''], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['pods', 'pods/*'] },
      objectSelector: { matchExpressions: [{ key: names.quarantineLabel, operator: 'Exists' }] },
      conditions: [
        {
          name: 'was-quarantined',
          expression: `oldObject.metadata.?labels[?'${names.quarantineLabel}'].hasValue()`,
        },
        isNotTheCell,
      ],
      variables: annotations,
      validations: [
        {
          expression: `${same('object.metadata.?labels')} || ${mayRelease}`,
          message: `The pod is quarantined, and its labels with it: people release it through Firebreak, or ${who}`,
        },
        {
          expression: `(${keeps('before', 'after')} && ${keeps('after', 'before')}) || ${mayRelease}`,
          message: `The pod is quarantined, and what Firebreak has noted on it stays: people release it through Firebreak, or ${who}`,
        },
      ],
    }),
    ...policy({
      name: `${account.name}-quarantine-policies`,
      rule: {
        apiGroups: ['networking.k8s.io'],
        apiVersions: ['v1'],
        operations: ['CREATE', 'UPDATE', 'DELETE'],
        resources: ['networkpolicies'],
      },
      conditions: [
        {
          name: 'is-of-firebreak',
          expression: `[(request.operation == 'CREATE' ? object : oldObject).metadata.name].exists(name, ${isOurs})`,
        },
        isNotTheCell,
      ],
      variables: [],
      validations: [
        {
          // Deletion together with the whole namespace is allowed. (A match condition cannot access the namespace.)
          expression: `namespaceObject.metadata.?deletionTimestamp.hasValue() || ${mayRelease}`,
          message: `The policy is what a quarantine of Firebreak consists of: people release it through Firebreak, or ${who}`,
        },
      ],
    }),
  ];
}
