import type { Severity } from '../../../core/severity.ts';
import { bindsAdministrators, grantsAll, opensTheNode } from './dangerous.ts';
import type { AuditRequest } from './request.ts';

/** A kind of request that matters. The name is what playbooks and the configuration call it. */
export interface AuditRule {
  readonly name: string;
  readonly severity: Severity;
  readonly tags: readonly string[];
  readonly mitre: readonly string[];
  /** What it is about, for the documentation. */
  readonly about: string;
  applies(request: AuditRequest): boolean;
}

const writes: readonly string[] = ['create', 'update', 'patch', 'delete', 'deletecollection'];
const makes: readonly string[] = ['create', 'update', 'patch'];
const rbac: readonly string[] = ['roles', 'clusterroles', 'rolebindings', 'clusterrolebindings'];
const admission: readonly string[] = [
  'validatingwebhookconfigurations',
  'mutatingwebhookconfigurations',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
];
const runners: readonly string[] = ['pods', 'deployments', 'statefulsets', 'daemonsets', 'replicasets', 'jobs', 'cronjobs'];
const open = /^\/(?:healthz|livez|readyz|version|openid|\.well-known|api|apis|openapi)(?:[/?]|$)/;

/** The control plane, nodes, and the controllers in kube-system: what they do all day is no alert. */
function isSystem({ user = '' }: AuditRequest): boolean {
  return /^system:(?:kube-|node:|apiserver$|serviceaccount:kube-system:)/.test(user);
}

function isAnswered({ code }: AuditRequest): boolean {
  return code !== undefined && code >= 200 && code < 300;
}

/** Discovery and health, and what `kubeadm join` reads before it has a credential. */
function isPublic({ resource, namespace, name, path }: AuditRequest): boolean {
  return resource === undefined ? open.test(path) : namespace === 'kube-public' && name === 'cluster-info';
}

const of =
  (resource: string, subresource?: string) =>
  (request: AuditRequest): boolean =>
    request.resource === resource && request.subresource === subresource;

/** The first that applies names the alert. */
export const auditRules: readonly AuditRule[] = [
  {
    name: 'Anonymous request allowed',
    severity: 'high',
    tags: ['initial_access'],
    mitre: ['T1078', 'TA0001'],
    about: '`system:anonymous` got a 2xx for anything but health, version, discovery and `kube-public/cluster-info`',
    applies: (request) => request.user === 'system:anonymous' && isAnswered(request) && !isPublic(request),
  },
  {
    name: 'Exec into pod',
    severity: 'medium',
    tags: ['execution'],
    mitre: ['T1609', 'TA0002'],
    about: '`pods/exec`, by whomever',
    applies: of('pods', 'exec'),
  },
  {
    name: 'Attach to pod',
    severity: 'medium',
    tags: ['execution'],
    mitre: ['T1609', 'TA0002'],
    about: '`pods/attach`, by whomever',
    applies: of('pods', 'attach'),
  },
  {
    name: 'Port forward to pod',
    severity: 'low',
    tags: ['lateral_movement'],
    mitre: ['TA0008'],
    about: '`pods/portforward`, by whomever',
    applies: of('pods', 'portforward'),
  },
  {
    name: 'Ephemeral container added',
    severity: 'medium',
    tags: ['execution'],
    mitre: ['T1610', 'TA0002'],
    about: '`pods/ephemeralcontainers`, by whomever',
    applies: (request) => of('pods', 'ephemeralcontainers')(request) && writes.includes(request.verb),
  },
  {
    name: 'Proxy to node',
    severity: 'high',
    tags: ['execution'],
    mitre: ['T1609', 'TA0002'],
    about: '`nodes/proxy`, which is exec into every pod of the node, by anybody but the control plane',
    applies: (request) => of('nodes', 'proxy')(request) && !isSystem(request),
  },
  {
    name: 'Cluster administrator bound',
    severity: 'high',
    tags: ['privilege_escalation', 'persistence'],
    mitre: ['T1098', 'TA0003'],
    about: 'a role binding to `cluster-admin`, or to the group `system:masters`, made or changed (level Request)',
    applies: (request) => makes.includes(request.verb) && bindsAdministrators(request) && !isSystem(request),
  },
  {
    name: 'Role with all rights',
    severity: 'high',
    tags: ['privilege_escalation'],
    mitre: ['T1098', 'TA0004'],
    about: 'a role with `*` verbs on `*` resources made or changed (level Request)',
    applies: (request) => makes.includes(request.verb) && grantsAll(request) && !isSystem(request),
  },
  {
    name: 'RBAC changed',
    severity: 'medium',
    tags: ['privilege_escalation'],
    mitre: ['T1098', 'TA0004'],
    about: 'roles or bindings written by anybody but the control plane',
    applies: (request) => isOneOf(rbac, request) && writes.includes(request.verb) && !isSystem(request),
  },
  {
    name: 'Admission control changed',
    severity: 'high',
    tags: ['defense_evasion'],
    mitre: ['T1562', 'TA0005'],
    about: 'admission webhooks or policies written by anybody but the control plane',
    applies: (request) => isOneOf(admission, request) && writes.includes(request.verb) && !isSystem(request),
  },
  {
    name: 'Pod that opens the node',
    severity: 'high',
    tags: ['privilege_escalation'],
    mitre: ['T1611', 'TA0004'],
    about:
      'a pod, or a template of one, that is privileged, shares a namespace of the node, mounts its paths, or has `SYS_ADMIN` (level Request)',
    applies: (request) =>
      isOneOf(runners, request) && makes.includes(request.verb) && opensTheNode(request) && !isSystem(request),
  },
  {
    name: 'Token requested',
    severity: 'medium',
    tags: ['credential_access'],
    mitre: ['T1528', 'TA0006'],
    about: '`serviceaccounts/token`, by anybody but the control plane',
    applies: (request) => of('serviceaccounts', 'token')(request) && request.verb === 'create' && !isSystem(request),
  },
  {
    name: 'Certificate approved',
    severity: 'medium',
    tags: ['credential_access', 'persistence'],
    mitre: ['TA0003'],
    about: '`certificatesigningrequests/approval`, by anybody but the control plane',
    applies: (request) => of('certificatesigningrequests', 'approval')(request) && !isSystem(request),
  },
  {
    name: 'Secrets listed',
    severity: 'medium',
    tags: ['credential_access'],
    mitre: ['T1552', 'TA0006'],
    about: 'list or watch of Secrets by anybody but the control plane',
    applies: (request) => of('secrets')(request) && ['list', 'watch'].includes(request.verb) && !isSystem(request),
  },
  {
    name: 'Secret read',
    severity: 'low',
    tags: ['credential_access'],
    mitre: ['T1552', 'TA0006'],
    about: 'get of one Secret by anybody but the control plane',
    applies: (request) => of('secrets')(request) && request.verb === 'get' && !isSystem(request),
  },
  {
    name: 'Objects deleted in bulk',
    severity: 'medium',
    tags: ['impact'],
    mitre: ['T1485', 'TA0040'],
    about: '`deletecollection` of anything but events and leases by anybody but the control plane',
    applies: (request) => request.verb === 'deletecollection' && !isOneOf(['events', 'leases'], request) && !isSystem(request),
  },
  {
    name: 'Namespace deleted',
    severity: 'medium',
    tags: ['impact'],
    mitre: ['T1485', 'TA0040'],
    about: 'delete of a namespace by anybody but the control plane',
    applies: (request) => of('namespaces')(request) && request.verb === 'delete' && !isSystem(request),
  },
  {
    name: 'Events deleted',
    severity: 'medium',
    tags: ['defense_evasion'],
    mitre: ['T1070', 'TA0005'],
    about: 'delete of events by anybody but the control plane: traces are removed',
    applies: (request) => of('events')(request) && request.verb.startsWith('delete') && !isSystem(request),
  },
];

export function ruleFor(request: AuditRequest): AuditRule | undefined {
  // What failed for another reason (not found, conflict) changed and showed nothing.
  if (!request.refused && request.code !== undefined && request.code >= 400) return undefined;
  return auditRules.find((rule) => rule.applies(request));
}

function isOneOf(resources: readonly string[], { resource, subresource }: AuditRequest): boolean {
  return resource !== undefined && subresource === undefined && resources.includes(resource);
}
