import { names } from '../../core/labels.ts';
import { type Account, isBy, policy } from './policy.ts';

/** What RBAC is asked for who takes a quarantine off by hand. It is no resource that a server has: a ClusterRole may name it all the same. */
const release = { group: 'firebreak.dev', resource: 'quarantines', verb: 'release' } as const;

/**
 * Whoever may patch pods in a namespace, as its tenants may, could take the label off and have the suspect's network open again. With this policy
 * only the cell and administrators can: those who have every right, or are given `release` on `quarantines.firebreak.dev`.
 */
export function quarantineLabelAdmission(account: Account): readonly object[] {
  const label = `'${names.quarantineLabel}'`;
  const labelOf = (object: string): string => `${object}.metadata.?labels[?${label}]`;
  return policy({
    name: `${account.name}-quarantine-label`,
    rule: { apiGroups: [''], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['pods', 'pods/*'] },
    objectSelector: { matchExpressions: [{ key: names.quarantineLabel, operator: 'Exists' }] },
    conditions: [
      { name: 'was-quarantined', expression: `${labelOf('oldObject')}.hasValue()` },
      { name: 'is-not-the-cell', expression: `!(${isBy(account)})` },
    ],
    variables: [],
    validations: [
      {
        expression: `${labelOf('object')} == ${labelOf('oldObject')} || authorizer.group('${release.group}').resource('${release.resource}').namespace(request.namespace).check('${release.verb}').allowed()`,
        message: `The pod is quarantined: people release it through Firebreak, or who may ${release.verb} ${release.resource}.${release.group}`,
      },
    ],
  });
}
