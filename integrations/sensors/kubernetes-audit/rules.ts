import type { SensorSettings } from '../../../core/alert/sensor.ts';
import type { Severity } from '../../../core/alert/severity.ts';
import { askedIdentity, isOwnNode, isSystemIdentity } from './certificate-request.ts';
import { isSystemAtWork } from './components.ts';
import {
  bindsEverybody,
  bindsMasters,
  foreignImage,
  holdsCredentials,
  opensEveryNode,
  opensTheNode,
  opensToOutside,
  takesAddresses,
  takesAllHosts,
} from './dangerous.ts';
import type { AuditRequest } from './request.ts';
import { type RoleMemory, type RoleWeight, weightOfRole } from './roles.ts';

/** What a rule knows besides the request. */
interface AuditContext {
  readonly cluster: string;
  readonly settings: SensorSettings | undefined;
  readonly roles: RoleMemory;
}

/** A kind of request that matters. The name is what playbooks and the configuration call it. */
interface AuditRule {
  readonly name: string;
  readonly severity: Severity;
  readonly tags: readonly string[];
  readonly mitre: readonly string[];
  /** What it is about, for the documentation. */
  readonly about: string;
  applies(request: AuditRequest, context: AuditContext): boolean;
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

function isAnswered({ code }: AuditRequest): boolean {
  return code !== undefined && code >= 200 && code < 300;
}

/** Discovery and health, and what `kubeadm join` reads before it has a credential. */
function isPublic({ resource, namespace, name, path }: AuditRequest): boolean {
  return resource === undefined ? open.test(path) : namespace === 'kube-public' && name === 'cluster-info';
}

/** Written and not deleted. */
function isMade({ verb }: AuditRequest): boolean {
  return makes.includes(verb);
}

function isBinding(request: AuditRequest): boolean {
  return isOneOf(['rolebindings', 'clusterrolebindings'], request);
}

/** What the role in the request, or the role that it binds, gives. Several rules ask, and a role may have thousands of rules. */
function weight(request: AuditRequest, { cluster, roles }: AuditContext): RoleWeight | undefined {
  if (!weights.has(request)) weights.set(request, isBinding(request) ? roles.boundBy(cluster, request) : weightOfRole(request));
  return weights.get(request);
}

const weights = new WeakMap<AuditRequest, RoleWeight | undefined>();

const credentialFiles =
  /serviceaccount\/|\.kube\/config|\/etc\/kubernetes\/|\.aws\/credentials|\/etc\/shadow|\.ssh\/id_|gcloud\/(?:credentials|access_tokens)|\.docker\/config\.json/;

/** The account asks for its own token. */
function isForItself({ user, namespace, name }: AuditRequest): boolean {
  return user === `system:serviceaccount:${namespace}:${name}`;
}

function isTokenSecret({ written }: AuditRequest): boolean {
  return written.some(({ type }) => type === 'kubernetes.io/service-account-token');
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
    name: 'Credentials read by exec',
    severity: 'high',
    tags: ['credential_access'],
    mitre: ['T1609', 'T1528', 'TA0006'],
    about: '`pods/exec` of a command that names the files of a token, key or password, by whomever',
    applies: (request) => of('pods', 'exec')(request) && request.command !== undefined && credentialFiles.test(request.command),
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
    about: '`nodes/proxy`, which is exec into every pod of the node',
    applies: (request) => of('nodes', 'proxy')(request),
  },
  {
    name: 'Cluster administrator bound',
    severity: 'high',
    tags: ['privilege_escalation', 'persistence'],
    mitre: ['T1098.006', 'TA0003'],
    about:
      'a role binding to `cluster-admin` or to a role with all rights that was seen being written, or for the group `system:masters`, made or changed (level Request)',
    applies: (request, context) =>
      isBinding(request) && isMade(request) && (bindsMasters(request) || weight(request, context) === 'all'),
  },
  {
    name: 'Rights given to everybody',
    severity: 'high',
    tags: ['privilege_escalation', 'persistence'],
    mitre: ['T1098.006', 'TA0003'],
    about:
      'a role binding for `system:anonymous`, or for all who are (not) authenticated or all service accounts (level Request)',
    applies: (request) => isBinding(request) && isMade(request) && bindsEverybody(request),
  },
  {
    name: 'Role with all rights',
    severity: 'high',
    tags: ['privilege_escalation'],
    mitre: ['T1098.006', 'TA0004'],
    about: 'a role with `*` verbs on `*` resources made or changed (level Request)',
    applies: (request, context) => isOneOf(rbac, request) && isMade(request) && weight(request, context) === 'all',
  },
  {
    name: 'Role with wildcards',
    severity: 'high',
    tags: ['privilege_escalation'],
    mitre: ['T1098.006', 'TA0004'],
    about: 'a role with `*` as a verb or a resource made or changed, or bound (level Request)',
    applies: (request, context) => isOneOf(rbac, request) && isMade(request) && weight(request, context) === 'wide',
  },
  {
    name: 'Role with dangerous rights',
    severity: 'high',
    tags: ['privilege_escalation'],
    mitre: ['T1098.006', 'TA0004'],
    about:
      'a role made or changed, or bound, that reads Secrets, runs commands in containers, reaches nodes, makes tokens, roles or admission rules, approves certificates, or may `escalate`, `bind` or `impersonate` (level Request)',
    applies: (request, context) => isOneOf(rbac, request) && isMade(request) && weight(request, context) === 'dangerous',
  },
  {
    name: 'Role that may write',
    severity: 'medium',
    tags: ['privilege_escalation'],
    mitre: ['T1098.006', 'TA0004'],
    about: 'a role made or changed, or bound, that changes objects, and none of the above (level Request)',
    applies: (request, context) => isOneOf(rbac, request) && isMade(request) && weight(request, context) === 'writes',
  },
  {
    name: 'Role that only reads',
    severity: 'low',
    tags: ['privilege_escalation'],
    mitre: ['T1098.006', 'TA0004'],
    about: 'a role made or changed, or bound, that looks at objects and no more (level Request)',
    applies: (request, context) => isOneOf(rbac, request) && isMade(request) && weight(request, context) === 'reads',
  },
  {
    name: 'Written by a copy',
    severity: 'high',
    tags: ['privilege_escalation', 'defense_evasion'],
    mitre: ['T1098.006', 'TA0004'],
    about:
      'a JSON patch that copies or moves what is there into a role, binding, pod, workload, Service or Ingress, outside of its metadata: the event does not hold what that is (level Request)',
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
      'a role or binding of the whole cluster or of `kube-system` made or changed, and what it gives is not known: level Metadata, or a role that was not seen being written',
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
    about: 'a service account made in `kube-system`',
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
  {
    name: 'Admission control changed',
    severity: 'high',
    tags: ['defense_evasion'],
    mitre: ['T1685', 'TA0112'],
    about: 'admission webhooks or policies written',
    applies: (request) => isOneOf(admission, request) && writes.includes(request.verb),
  },
  {
    name: 'Pod that opens the node',
    severity: 'high',
    tags: ['privilege_escalation'],
    mitre: ['T1611', 'TA0004'],
    about:
      'a pod, or a template of one, that is privileged, shares a namespace of the node, mounts its paths, or has `SYS_ADMIN` (level Request)',
    applies: (request) => isOneOf(runners, request) && makes.includes(request.verb) && opensTheNode(request),
  },
  {
    name: 'Token requested by its own account',
    severity: 'low',
    tags: ['credential_access'],
    mitre: ['T1528', 'TA0006'],
    about: '`serviceaccounts/token` of the account that asks',
    applies: (request) => of('serviceaccounts', 'token')(request) && request.verb === 'create' && isForItself(request),
  },
  {
    name: 'Token of a system account requested',
    severity: 'high',
    tags: ['credential_access', 'persistence'],
    mitre: ['T1528', 'T1098', 'TA0006'],
    about: '`serviceaccounts/token` of an account in `kube-system`: who has it is taken for a part of Kubernetes',
    applies: (request) =>
      of('serviceaccounts', 'token')(request) && request.verb === 'create' && request.namespace === 'kube-system',
  },
  {
    name: 'Token requested',
    severity: 'medium',
    tags: ['credential_access'],
    mitre: ['T1528', 'TA0006'],
    about: '`serviceaccounts/token`',
    applies: (request) => of('serviceaccounts', 'token')(request) && request.verb === 'create',
  },
  {
    name: 'Token that does not end',
    severity: 'high',
    tags: ['credential_access', 'persistence'],
    mitre: ['T1098', 'TA0003'],
    about:
      'a Secret of the type `kubernetes.io/service-account-token` made (level Request for Secrets, which shows their content too)',
    applies: (request) => of('secrets')(request) && isMade(request) && isTokenSecret(request),
  },
  {
    name: 'System certificate requested',
    severity: 'high',
    tags: ['credential_access', 'persistence'],
    mitre: ['T1098', 'TA0003'],
    about:
      'a certificate for a name or group that begins with `system:` asked for or approved, except a node’s own (level Request): who has it is taken for a part of Kubernetes',
    applies: (request) => {
      const asked = askedIdentity(request);
      const isAbout = request.subresource === undefined || request.subresource === 'approval';
      return isAbout && isMade(request) && asked !== undefined && isSystemIdentity(asked) && !isOwnNode(request, asked);
    },
  },
  {
    name: 'Certificate approved',
    severity: 'medium',
    tags: ['credential_access', 'persistence'],
    mitre: ['TA0003'],
    about: '`certificatesigningrequests/approval`',
    applies: (request) => of('certificatesigningrequests', 'approval')(request),
  },
  {
    name: 'Secrets of all namespaces listed',
    severity: 'high',
    tags: ['credential_access'],
    mitre: ['T1552.007', 'TA0006'],
    about: 'list or watch of the Secrets of the whole cluster',
    applies: (request) => of('secrets')(request) && ['list', 'watch'].includes(request.verb) && request.namespace === undefined,
  },
  {
    name: 'Secrets listed',
    severity: 'medium',
    tags: ['credential_access'],
    mitre: ['T1552', 'TA0006'],
    about: 'list or watch of Secrets',
    applies: (request) => of('secrets')(request) && ['list', 'watch'].includes(request.verb),
  },
  {
    name: 'Secret read',
    severity: 'low',
    tags: ['credential_access'],
    mitre: ['T1552', 'TA0006'],
    about: 'get of one Secret',
    applies: (request) => of('secrets')(request) && request.verb === 'get',
  },
  {
    name: 'Credentials in a ConfigMap',
    severity: 'medium',
    tags: ['credential_access'],
    mitre: ['T1552', 'TA0006'],
    about: 'a value of the shape of a key, token or password written into a ConfigMap (level Request)',
    applies: (request) => isOneOf(['configmaps'], request) && isMade(request) && holdsCredentials(request),
  },
  {
    name: 'Service takes addresses of others',
    severity: 'high',
    tags: ['credential_access', 'collection'],
    mitre: ['T1557', 'TA0006'],
    about: 'a Service with `externalIPs` made or changed: what nodes send to these addresses goes to its pods (level Request)',
    applies: (request) => isOneOf(['services'], request) && isMade(request) && takesAddresses(request),
  },
  {
    name: 'Service opened to the outside',
    severity: 'medium',
    tags: ['initial_access', 'persistence'],
    mitre: ['T1133', 'TA0001'],
    about: 'a Service of the type `LoadBalancer` made or changed (level Request)',
    applies: (request) => isOneOf(['services'], request) && isMade(request) && opensToOutside(request),
  },
  {
    name: 'Ingress for all hosts',
    severity: 'medium',
    tags: ['initial_access', 'persistence'],
    mitre: ['T1133', 'TA0001'],
    about: 'an Ingress made or changed that has a rule without a host, or a default backend (level Request)',
    applies: (request) => isOneOf(['ingresses'], request) && isMade(request) && takesAllHosts(request),
  },
  {
    name: 'Service opened on every node',
    severity: 'low',
    tags: ['initial_access', 'persistence'],
    mitre: ['T1133', 'TA0001'],
    about: 'a Service of the type `NodePort` made or changed (level Request)',
    applies: (request) => isOneOf(['services'], request) && isMade(request) && opensEveryNode(request),
  },
  {
    name: 'Image outside the allowed registries',
    severity: 'medium',
    tags: ['execution'],
    mitre: ['T1610', 'TA0002'],
    about:
      'a pod, or a template of one, of an image that is from none of `sensors.kubernetes-audit.registries`, where these are configured (level Request)',
    applies: (request, { settings }) =>
      isOneOf(runners, request) &&
      isMade(request) &&
      settings?.registries !== undefined &&
      settings.registries.length > 0 &&
      foreignImage(request, settings.registries),
  },
  {
    name: 'Objects deleted in bulk',
    severity: 'medium',
    tags: ['impact'],
    mitre: ['T1485', 'TA0040'],
    about: '`deletecollection` of anything but events and leases',
    applies: (request) => request.verb === 'deletecollection' && !isOneOf(['events', 'leases'], request),
  },
  {
    name: 'Namespace deleted',
    severity: 'medium',
    tags: ['impact'],
    mitre: ['T1485', 'TA0040'],
    about: 'delete of a namespace',
    applies: (request) => of('namespaces')(request) && request.verb === 'delete',
  },
  {
    name: 'Events deleted',
    severity: 'medium',
    tags: ['defense_evasion'],
    mitre: ['T1070', 'TA0005'],
    about: 'delete of events: traces are removed',
    applies: (request) => of('events')(request) && request.verb.startsWith('delete'),
  },
];

/** What RBAC let through and the node then refused is tried all the same. */
const throughTheNode = ['pods/exec', 'pods/attach', 'pods/portforward', 'nodes/proxy'];

export function ruleFor(request: AuditRequest, context: AuditContext): AuditRule | undefined {
  const { code, refused, resource, subresource } = request;
  // What failed for another reason (not found, conflict) changed and showed nothing.
  const failed = !refused && code !== undefined && code >= 400;
  if (failed && (code === 404 || !throughTheNode.includes(`${resource}/${subresource}`))) return undefined;
  if (isSystemAtWork(request, context.settings?.controlPlane)) return undefined;
  return auditRules.find((rule) => rule.applies(request, context));
}

const readByContent = new Set([...rbac, ...runners, 'configmaps', 'services', 'ingresses', 'certificatesigningrequests']);

/**
 * What rules should have looked at and the event does not hold, such as `the content of configmaps, at level Metadata`: they cannot
 * apply then, and a lower level of the audit policy says so of itself nowhere.
 */
export function notShown(request: AuditRequest, { settings }: AuditContext): string | undefined {
  const { resource, subresource, hidden, written, answered, code } = request;
  if (hidden === undefined || written.length > 0 || answered !== undefined) return undefined;
  if (resource === undefined || subresource !== undefined || !readByContent.has(resource) || !isMade(request)) return undefined;
  if (code === undefined || code >= 300 || isSystemAtWork(request, settings?.controlPlane)) return undefined;
  return `the content of ${resource}, ${hidden}`;
}

function isOneOf(resources: readonly string[], { resource, subresource }: AuditRequest): boolean {
  return resource !== undefined && subresource === undefined && resources.includes(resource);
}
