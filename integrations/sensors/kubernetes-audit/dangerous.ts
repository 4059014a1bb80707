import { objectOf } from '../../../core/sensor-text.ts';
import type { AuditRequest, Fields } from './request.ts';

const atMost = 256;

function objectsIn(value: unknown): readonly Fields[] {
  return Array.isArray(value)
    ? value
        .slice(0, atMost)
        .map(objectOf)
        .filter((item) => item !== undefined)
    : [];
}

function has(list: unknown, word: string): boolean {
  return Array.isArray(list) && list.slice(0, atMost).includes(word);
}

/** Whether a binding gives what administrators have. */
export function bindsAdministrators({ resource, body, answered }: AuditRequest): boolean {
  if (resource !== 'rolebindings' && resource !== 'clusterrolebindings') return false;
  return [body, answered].some((binding) => {
    if (objectOf(binding?.roleRef)?.name === 'cluster-admin') return true;
    return objectsIn(binding?.subjects).some(({ name }) => name === 'system:masters');
  });
}

export function grantsAll({ resource, body, answered }: AuditRequest): boolean {
  if (resource !== 'roles' && resource !== 'clusterroles') return false;
  return [body, answered].some((role) =>
    objectsIn(role?.rules).some(({ verbs, resources }) => has(verbs, '*') && has(resources, '*')),
  );
}

/** Whether a pod, or the template in a workload, can reach its node. */
export function opensTheNode({ body, answered }: AuditRequest): boolean {
  return [body, answered].some((object) => {
    const spec = podSpecOf(object);
    return spec !== undefined && isOpen(spec);
  });
}

function podSpecOf(object: Fields | undefined): Fields | undefined {
  const spec = objectOf(object?.spec);
  const template = objectOf(objectOf(objectOf(objectOf(spec?.jobTemplate)?.spec)?.template ?? spec?.template)?.spec);
  return template ?? spec;
}

function isOpen(spec: Fields): boolean {
  if (spec.hostPID === true || spec.hostIPC === true || spec.hostNetwork === true) return true;
  if (objectsIn(spec.volumes).some(({ hostPath }) => objectOf(hostPath) !== undefined)) return true;
  return ['containers', 'initContainers', 'ephemeralContainers'].some((list) =>
    objectsIn(spec[list]).some(({ securityContext }) => {
      const context = objectOf(securityContext);
      const added: unknown = objectOf(context?.capabilities)?.add;
      return context?.privileged === true || ['SYS_ADMIN', 'CAP_SYS_ADMIN', 'ALL'].some((capability) => has(added, capability));
    }),
  );
}
