import { bindsEverybody, bindsMasters } from './dangerous.ts';
import type { AuditRequest } from './request.ts';
import { type RoleWeight, weightOfRole } from './roles.ts';
import { type AuditContext, type AuditRule, isMade, isOneOf, of, rbac, runners, writes } from './rule.ts';

function isBinding(request: AuditRequest): boolean {
  return isOneOf(['rolebindings', 'clusterrolebindings'], request);
}

/** What the role in the request, or the role that it binds, grants. Cached because several rules ask, and a role may have thousands of rules. */
function weight(request: AuditRequest, { cluster, roles }: AuditContext): RoleWeight | undefined {
  if (!weights.has(request)) weights.set(request, isBinding(request) ? roles.boundBy(cluster, request) : weightOfRole(request));
  return weights.get(request);
}

const weights = new WeakMap<AuditRequest, RoleWeight | undefined>();

/** Rules about the rights of people and accounts. */
export const rbacRules: readonly AuditRule[] = [
  {
    name: 'Cluster administrator bound',
    severity: 'critical',
    tags: ['privilege_escalation', 'persistence'],
    mitre: ['T1098.006', 'TA0003'],
    about:
      'a role binding to `cluster-admin` or to a role with all rights that was seen being written, or for the group `system:masters`, created or changed (level Request)',
    applies: (request, context) =>
      isBinding(request) && isMade(request) && (bindsMasters(request) || weight(request, context) === 'all'),
  },
  {
    name: 'Rights given to everybody',
    severity: 'critical',
    tags: ['privilege_escalation', 'persistence'],
    mitre: ['T1098.006', 'TA0003'],
    about: 'a role binding for `system:anonymous`, for all (un)authenticated users, or for all service accounts (level Request)',
    applies: (request) => isBinding(request) && isMade(request) && bindsEverybody(request),
  },
  {
    name: 'Role with all rights',
    severity: 'high',
    tags: ['privilege_escalation'],
    mitre: ['T1098.006', 'TA0004'],
    about: 'a role with `*` verbs on `*` resources, created or changed (level Request)',
    applies: (request, context) => isOneOf(rbac, request) && isMade(request) && weight(request, context) === 'all',
  },
  {
    name: 'Role with wildcards',
    severity: 'high',
    tags: ['privilege_escalation'],
    mitre: ['T1098.006', 'TA0004'],
    about: 'a role with `*` as a verb or a resource, created, changed or bound (level Request)',
    applies: (request, context) => isOneOf(rbac, request) && isMade(request) && weight(request, context) === 'wide',
  },
  {
    name: 'Role with dangerous rights',
    severity: 'high',
    tags: ['privilege_escalation'],
    mitre: ['T1098.006', 'TA0004'],
    about:
      'a role created, changed or bound that reads Secrets, runs commands in containers, reaches nodes, creates tokens, roles or admission rules, approves certificates, or may `escalate`, `bind` or `impersonate` (level Request)',
    applies: (request, context) => isOneOf(rbac, request) && isMade(request) && weight(request, context) === 'dangerous',
  },
  {
    name: 'Role that may write',
    severity: 'medium',
    tags: ['privilege_escalation'],
    mitre: ['T1098.006', 'TA0004'],
    about: 'a role created, changed or bound that changes objects, and is none of the above (level Request)',
    applies: (request, context) => isOneOf(rbac, request) && isMade(request) && weight(request, context) === 'writes',
  },
  {
    name: 'Role that only reads',
    severity: 'low',
    tags: ['privilege_escalation'],
    mitre: ['T1098.006', 'TA0004'],
    about: 'a role created, changed or bound that only reads objects (level Request)',
    applies: (request, context) => isOneOf(rbac, request) && isMade(request) && weight(request, context) === 'reads',
  },
  {
    name: 'Written by a copy',
    severity: 'high',
    tags: ['privilege_escalation', 'defense_evasion'],
    mitre: ['T1098.006', 'TA0004'],
    about:
      'a JSON patch that copies or moves existing content into a role, binding, pod, workload, Service or Ingress, outside its metadata: the event does not contain that content (level Request)',
    applies: (request) =>
      isOneOf([...rbac, ...runners, 'services', 'ingresses'], request) &&
      isMade(request) &&
      request.copies &&
      request.answered === undefined,
  },
  {
    name: 'RBAC changed',
    severity: 'medium',
    tags: ['privilege_escalation'],
    mitre: ['T1098.006', 'TA0004'],
    about:
      'a role or binding of the whole cluster or of `kube-system` created or changed, and the rights that it grants are unknown: level Metadata, or a role that was not seen being written',
    applies: (request) =>
      isOneOf(rbac, request) && isMade(request) && (request.namespace === undefined || request.namespace === 'kube-system'),
  },
  {
    name: 'RBAC of a namespace changed',
    severity: 'low',
    tags: ['privilege_escalation'],
    mitre: ['T1098.006', 'TA0004'],
    about: 'the same in any other namespace',
    applies: (request) => isOneOf(rbac, request) && isMade(request),
  },
  {
    name: 'System account made',
    severity: 'medium',
    tags: ['persistence'],
    mitre: ['T1136', 'TA0003'],
    about: 'a service account created in `kube-system`',
    applies: (request) => of('serviceaccounts')(request) && request.verb === 'create' && request.namespace === 'kube-system',
  },
  {
    name: 'RBAC deleted',
    severity: 'low',
    tags: ['impact'],
    mitre: ['T1531', 'TA0040'],
    about: 'a role or binding deleted',
    applies: (request) => isOneOf(rbac, request) && writes.includes(request.verb),
  },
];
