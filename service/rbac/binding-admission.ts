import { names } from '../../core/cluster/labels.ts';
import { type Account, onlyOwnAnnotations, ownAnnotations, policy, same } from './policy.ts';

/**
 * `bind` lets its holder grant any role to anybody. With this policy, someone who steals the account can only remove a ServiceAccount from a binding, which
 * notes its name there, and put exactly that one back.
 */
export function bindingAdmission(account: Account): readonly object[] {
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
      ...ownAnnotations,
      { name: 'had', expression: 'oldObject.?subjects.orValue([])' },
      { name: 'has', expression: 'object.?subjects.orValue([])' },
    ],
    validations: [
      {
        // Checks both in one pass over each list, which may have thousands of entries.
        expression: `request.operation == 'UPDATE' && (variables.has == variables.had.filter(s, !${is('variables.after')}) || variables.had == variables.has.filter(s, !${is('variables.before')}))`,
        message:
          'Firebreak may remove from a binding only the account that it notes there, and add only the one that it removed from it',
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
