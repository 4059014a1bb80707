import { isObject } from '../../../core/text/plain-json.ts';
import type { AskedRight } from '../access-review.ts';

/** Recorded RBAC objects, by resource. */
type RecordedObjects = (resource: string) => readonly Readonly<Record<string, unknown>>[];

/** The subject whose rights are checked, as in a `SubjectAccessReview`. */
interface AskedSubject {
  readonly user: string;
  readonly groups: readonly string[];
}

/**
 * Whether RBAC grants a right, according to the recorded roles and bindings. Other authorizers of the cluster are not consulted: they may grant more.
 * https://kubernetes.io/docs/reference/access-authn-authz/rbac/
 */
export function recordedRight(objects: RecordedObjects, { user, groups }: AskedSubject, right: AskedRight): boolean {
  const isMeant = (subject: Readonly<Record<string, unknown>>, bound: string): boolean => {
    const { kind, name, namespace = bound } = subject;
    if (kind === 'ServiceAccount') return user === `system:serviceaccount:${String(namespace)}:${String(name)}`;
    return kind === 'Group' ? groups.includes(String(name)) : kind === 'User' && name === user;
  };
  const everywhere = objects('clusterrolebindings').map((binding) => ({ binding, namespace: '' }));
  const here = objects('rolebindings').flatMap((binding) => {
    const namespace = String(recordAt(binding, 'metadata').namespace ?? '');
    return right.namespace !== undefined && namespace === right.namespace ? [{ binding, namespace }] : [];
  });
  return [...everywhere, ...here].some(
    ({ binding, namespace }) =>
      listAt(binding, 'subjects').some((subject) => isMeant(subject, namespace)) &&
      rulesOf(objects, recordAt(binding, 'roleRef'), namespace).some((rule) => gives(rule, right)),
  );
}

function rulesOf(
  objects: RecordedObjects,
  { kind, name }: Readonly<Record<string, unknown>>,
  namespace: string,
): readonly Readonly<Record<string, unknown>>[] {
  const role =
    kind === 'ClusterRole'
      ? objects('clusterroles').find((one) => recordAt(one, 'metadata').name === name)
      : objects('roles').find(
          (one) => recordAt(one, 'metadata').name === name && recordAt(one, 'metadata').namespace === namespace,
        );
  return role ? listAt(role, 'rules') : [];
}

function gives(rule: Readonly<Record<string, unknown>>, { group = '', resource, subresource, verb, name }: AskedRight): boolean {
  const has = (field: string, ...wanted: readonly string[]): boolean => {
    const found = rule[field];
    return Array.isArray(found) && found.some((one) => one === '*' || wanted.includes(String(one)));
  };
  const resources = subresource === undefined ? [resource] : [`${resource}/${subresource}`, `*/${subresource}`];
  const { resourceNames } = rule;
  const isNamed =
    !Array.isArray(resourceNames) || resourceNames.length === 0 || (name !== undefined && resourceNames.includes(name));
  return has('apiGroups', group) && has('resources', ...resources) && has('verbs', verb) && isNamed;
}

function recordAt(value: Readonly<Record<string, unknown>>, field: string): Readonly<Record<string, unknown>> {
  const found = value[field];
  return isObject(found) ? found : {};
}

function listAt(value: Readonly<Record<string, unknown>>, field: string): readonly Readonly<Record<string, unknown>>[] {
  const found = value[field];
  return Array.isArray(found) ? found.filter(isObject) : [];
}
