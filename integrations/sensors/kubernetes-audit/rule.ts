import type { SensorSettings } from '../../../core/alert/sensor.ts';
import type { Severity } from '../../../core/alert/severity.ts';
import type { AuditRequest } from './request.ts';
import type { RoleMemory } from './roles.ts';

/** What a rule knows besides the request. */
export interface AuditContext {
  readonly cluster: string;
  readonly settings: SensorSettings | undefined;
  readonly roles: RoleMemory;
}

/** A kind of request that matters. The name is what playbooks and the configuration call it. */
export interface AuditRule {
  readonly name: string;
  readonly severity: Severity;
  readonly tags: readonly string[];
  readonly mitre: readonly string[];
  /** What it is about, for the documentation. */
  readonly about: string;
  applies(request: AuditRequest, context: AuditContext): boolean;
}

export const writes: readonly string[] = ['create', 'update', 'patch', 'delete', 'deletecollection'];
const makes: readonly string[] = ['create', 'update', 'patch'];
export const rbac: readonly string[] = ['roles', 'clusterroles', 'rolebindings', 'clusterrolebindings'];
export const runners: readonly string[] = [
  'pods',
  'deployments',
  'statefulsets',
  'daemonsets',
  'replicasets',
  'replicationcontrollers',
  'jobs',
  'cronjobs',
];

/** Written and not deleted. */
export function isMade({ verb }: AuditRequest): boolean {
  return makes.includes(verb);
}

/** Of this resource, and of itself where no subresource is named. */
export const of =
  (resource: string, subresource?: string) =>
  (request: AuditRequest): boolean =>
    request.resource === resource && request.subresource === subresource;

export function isOneOf(resources: readonly string[], { resource, subresource }: AuditRequest): boolean {
  return resource !== undefined && subresource === undefined && resources.includes(resource);
}
