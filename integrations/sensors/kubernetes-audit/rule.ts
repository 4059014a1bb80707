import type { SensorSettings } from '../../../core/alert/sensor.ts';
import type { Severity } from '../../../core/alert/severity.ts';
import type { AuditRequest } from './request.ts';
import type { RoleMemory } from './roles.ts';

/** What a rule knows in addition to the request. */
export interface AuditContext {
  readonly cluster: string;
  readonly settings: SensorSettings | undefined;
  readonly roles: RoleMemory;
}

/** A kind of request that matters. Playbooks and the configuration refer to it by its name. */
export interface AuditRule {
  readonly name: string;
  readonly severity: Severity;
  readonly tags: readonly string[];
  readonly mitre: readonly string[];
  /** Description for the documentation. */
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

/** Whether the request writes and does not delete. */
export function isMade({ verb }: AuditRequest): boolean {
  return makes.includes(verb);
}

/** Matches this resource, and only the resource itself if no subresource is named. */
export const of =
  (resource: string, subresource?: string) =>
  (request: AuditRequest): boolean =>
    request.resource === resource && request.subresource === subresource;

export function isOneOf(resources: readonly string[], { resource, subresource }: AuditRequest): boolean {
  return resource !== undefined && subresource === undefined && resources.includes(resource);
}
