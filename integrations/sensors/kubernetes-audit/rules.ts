import { objectOf, sensorText } from '../../../core/alert/sensor-text.ts';
import { askedIdentity, isForClients, isOwnNode, isSystemIdentity } from './certificate-request.ts';
import { isControlPlaneElsewhere, isSystemAtWork } from './components.ts';
import {
  foreignImage,
  holdsCredentials,
  lowersPodSecurity,
  opensEveryNode,
  opensToOutside,
  takesAddresses,
  takesAllHosts,
} from './dangerous.ts';
import { podRules } from './pod-rules.ts';
import { rbacRules } from './rbac-rules.ts';
import type { AuditRequest } from './request.ts';
import { type AuditContext, type AuditRule, isMade, isOneOf, of, rbac, runners, writes } from './rule.ts';

const admission: readonly string[] = [
  'validatingwebhookconfigurations',
  'mutatingwebhookconfigurations',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
];
const open = /^\/(?:healthz|livez|readyz|version|openid|\.well-known|api|apis|openapi)(?:[/?]|$)/;

function isAnswered({ code }: AuditRequest): boolean {
  return code !== undefined && code >= 200 && code < 300;
}

/** Discovery and health, and what `kubeadm join` reads before it has a credential. */
function isPublic({ resource, namespace, name, path }: AuditRequest): boolean {
  return resource === undefined ? open.test(path) : namespace === 'kube-public' && name === 'cluster-info';
}

/** The account asks for its own token. */
function isForItself({ user, namespace, name }: AuditRequest): boolean {
  return user === `system:serviceaccount:${namespace}:${name}`;
}

/** Whether the impersonated identity is more than an application's account. */
function isPartOfKubernetes({ user = '', groups }: AuditRequest): boolean {
  if (groups.includes('system:masters') || user.startsWith('system:serviceaccount:kube-system:')) return true;
  return user.startsWith('system:') && !user.startsWith('system:serviceaccount:') && user !== 'system:anonymous';
}

/** For a creation whose address has no name, takes it from the answer or the written object. */
function nameOf({ name, written, answered }: AuditRequest): string | undefined {
  return name ?? sensorText(objectOf((answered ?? written[0])?.metadata)?.name, 253);
}

function isSystemMap(names: readonly string[], request: AuditRequest): boolean {
  return isOneOf(['configmaps'], request) && request.namespace === 'kube-system' && names.includes(nameOf(request) ?? '');
}

function isTokenSecret({ written }: AuditRequest): boolean {
  return written.some(({ type }) => type === 'kubernetes.io/service-account-token');
}

/** The first rule that applies names the alert. */
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
    name: 'Part of Kubernetes impersonated',
    severity: 'high',
    tags: ['privilege_escalation', 'defense_evasion'],
    mitre: ['T1078', 'TA0004'],
    about:
      'any request by somebody who acts as `system:masters`, as a user whose name begins with `system:`, or as an account in `kube-system`',
    applies: (request) => request.impersonated && isPartOfKubernetes(request),
  },
  {
    name: 'Control plane identity used elsewhere',
    severity: 'critical',
    tags: ['credential_access', 'defense_evasion'],
    mitre: ['T1078', 'TA0006'],
    about:
      'any request that is in the log, as the scheduler, the controller manager, the API server or one of their controllers, with a person’s tool (kubectl, curl), or from an address that is not in `sensors.kubernetes-audit.controlPlane` (if that is set)',
    applies: (request, { settings }) => isControlPlaneElsewhere(request, settings?.controlPlane),
  },
  ...podRules,
  ...rbacRules,
  {
    name: 'Admission control changed',
    severity: 'high',
    tags: ['defense_evasion'],
    mitre: ['T1685', 'TA0112'],
    about: 'admission webhooks or policies written',
    applies: (request) => isOneOf(admission, request) && writes.includes(request.verb),
  },
  {
    name: 'API served by somebody else',
    severity: 'high',
    tags: ['persistence', 'credential_access'],
    mitre: ['T1557', 'TA0003'],
    about:
      'an APIService created or changed: the server that it names is called instead of the API server, and sees who calls and what is written',
    applies: (request) => isOneOf(['apiservices'], request) && isMade(request),
  },
  {
    name: 'Priority of requests changed',
    severity: 'high',
    tags: ['impact', 'defense_evasion'],
    mitre: ['T1499', 'TA0040'],
    about:
      'a FlowSchema or PriorityLevelConfiguration written: with one, the requests of others, including those of Firebreak, can be held up',
    applies: (request) => isOneOf(['flowschemas', 'prioritylevelconfigurations'], request) && writes.includes(request.verb),
  },
  {
    name: 'Pod Security lowered',
    severity: 'medium',
    tags: ['defense_evasion'],
    mitre: ['T1685', 'TA0112'],
    about: 'the level that a namespace enforces changed to `privileged`, or removed (level Request)',
    applies: (request) =>
      isOneOf(['namespaces'], request) && ['update', 'patch'].includes(request.verb) && lowersPodSecurity(request),
  },
  {
    name: 'Accounts of the cluster changed',
    severity: 'high',
    tags: ['persistence', 'privilege_escalation'],
    mitre: ['T1098', 'TA0003'],
    about:
      'the ConfigMap `aws-auth` or `extension-apiserver-authentication` in `kube-system` written: they decide who counts as whom, bypassing RBAC',
    applies: (request) =>
      isSystemMap(['aws-auth', 'extension-apiserver-authentication'], request) && writes.includes(request.verb),
  },
  {
    name: 'DNS of the cluster changed',
    severity: 'medium',
    tags: ['credential_access', 'collection'],
    mitre: ['T1557', 'TA0006'],
    about: 'the ConfigMap `coredns`, `coredns-custom` or `kube-dns` in `kube-system` written: it decides where names resolve to',
    applies: (request) => isSystemMap(['coredns', 'coredns-custom', 'kube-dns'], request) && writes.includes(request.verb),
  },
  {
    name: 'Token that lets a node join',
    severity: 'medium',
    tags: ['persistence', 'credential_access'],
    mitre: ['T1098', 'TA0003'],
    about: 'a Secret `bootstrap-token-…` created or changed in `kube-system`',
    applies: (request) =>
      of('secrets')(request) &&
      isMade(request) &&
      request.namespace === 'kube-system' &&
      nameOf(request)?.startsWith('bootstrap-token-') === true,
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
    about: '`serviceaccounts/token` of an account in `kube-system`: whoever has it is taken for a part of Kubernetes',
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
      'a Secret of the type `kubernetes.io/service-account-token` created (level Request for Secrets, which also shows their content)',
    applies: (request) => of('secrets')(request) && isMade(request) && isTokenSecret(request),
  },
  {
    name: 'System certificate requested',
    severity: 'critical',
    tags: ['credential_access', 'persistence'],
    mitre: ['T1098', 'TA0003'],
    about:
      'a certificate for a name or group that begins with `system:` requested or approved, except a node’s own (level Request): whoever has it is taken for a part of Kubernetes',
    applies: (request) => {
      const asked = askedIdentity(request);
      const isAbout = request.subresource === undefined || request.subresource === 'approval';
      return isAbout && isMade(request) && asked !== undefined && isSystemIdentity(asked) && !isOwnNode(request, asked);
    },
  },
  {
    name: 'Client certificate approved',
    severity: 'high',
    tags: ['credential_access', 'persistence'],
    mitre: ['T1098', 'TA0003'],
    about:
      '`certificatesigningrequests/approval` for the signer `kubernetes.io/kube-apiserver-client` (level Request): its holder is somebody until it expires, and it cannot be revoked',
    applies: (request) => of('certificatesigningrequests', 'approval')(request) && isMade(request) && isForClients(request),
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
    about: 'a value that looks like a key, token or password, written into a ConfigMap (level Request)',
    applies: (request) => isOneOf(['configmaps'], request) && isMade(request) && holdsCredentials(request),
  },
  {
    name: 'Service takes addresses of others',
    severity: 'high',
    tags: ['credential_access', 'collection'],
    mitre: ['T1557', 'TA0006'],
    about: 'a Service with `externalIPs` created or changed: what nodes send to these addresses goes to its pods (level Request)',
    applies: (request) => isOneOf(['services'], request) && isMade(request) && takesAddresses(request),
  },
  {
    name: 'Service opened to the outside',
    severity: 'medium',
    tags: ['initial_access', 'persistence'],
    mitre: ['T1133', 'TA0001'],
    about: 'a Service of the type `LoadBalancer` created or changed (level Request)',
    applies: (request) => isOneOf(['services'], request) && isMade(request) && opensToOutside(request),
  },
  {
    name: 'Ingress for all hosts',
    severity: 'medium',
    tags: ['initial_access', 'persistence'],
    mitre: ['T1133', 'TA0001'],
    about: 'an Ingress created or changed that has a rule without a host, or a default backend (level Request)',
    applies: (request) => isOneOf(['ingresses'], request) && isMade(request) && takesAllHosts(request),
  },
  {
    name: 'Service opened on every node',
    severity: 'low',
    tags: ['initial_access', 'persistence'],
    mitre: ['T1133', 'TA0001'],
    about: 'a Service of the type `NodePort` created or changed (level Request)',
    applies: (request) => isOneOf(['services'], request) && isMade(request) && opensEveryNode(request),
  },
  {
    name: 'Image outside the allowed registries',
    severity: 'medium',
    tags: ['execution'],
    mitre: ['T1610', 'TA0002'],
    about:
      'a pod or pod template with an image that is from none of `sensors.kubernetes-audit.registries`, if these are configured (level Request)',
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
  {
    name: 'Service account impersonated',
    severity: 'low',
    tags: ['privilege_escalation'],
    mitre: ['T1078', 'TA0004'],
    about: 'any other request by somebody who acts as a service account, which the built-in role `edit` allows',
    applies: ({ impersonated, user }) => impersonated && user?.startsWith('system:serviceaccount:') === true,
  },
];

/** Requests that RBAC allowed and the node then refused still count as attempts. */
const throughTheNode = ['pods/exec', 'pods/attach', 'pods/portforward', 'nodes/proxy'];

export function ruleFor(request: AuditRequest, context: AuditContext): AuditRule | undefined {
  const { code, refused, resource, subresource } = request;
  // A request that failed for another reason (not found, conflict) changed and revealed nothing.
  const failed = !refused && code !== undefined && code >= 400;
  if (failed && (code === 404 || !throughTheNode.includes(`${resource}/${subresource}`))) return undefined;
  if (isSystemAtWork(request, context.settings?.controlPlane)) return undefined;
  return auditRules.find((rule) => rule.applies(request, context));
}

const readByContent = new Set([
  ...rbac,
  ...runners,
  'configmaps',
  'services',
  'ingresses',
  'certificatesigningrequests',
  'persistentvolumes',
  'namespaces',
]);

/**
 * What rules should have examined but the event does not contain, such as `the content of configmaps, at level Metadata`: they cannot apply then, and nothing
 * else reports that the audit policy's level is too low.
 */
export function notShown(request: AuditRequest, { settings }: AuditContext): string | undefined {
  const { resource, subresource, hidden, written, answered, code } = request;
  if (hidden === undefined || written.length > 0 || answered !== undefined) return undefined;
  if (resource === undefined || subresource !== undefined || !readByContent.has(resource) || !isMade(request)) return undefined;
  if (code === undefined || code >= 300 || isSystemAtWork(request, settings?.controlPlane)) return undefined;
  return `the content of ${resource}, ${hidden}`;
}
