import { type Cidr, contains, parseCidr } from '../../../core/cluster/cidr.ts';
import type { AuditRequest } from './request.ts';

type Usual = (request: AuditRequest) => boolean;

/** One component of Kubernetes itself: the programs that act for it, and which of the requests covered by rules are routine for it. */
interface Component {
  readonly programs: readonly string[];
  readonly usual: Usual;
}

/** Distributions that combine all components in one program. */
const allInOne = ['k3s', 'rke2', 'k0s', 'kubelite', 'hyperkube'];
const reads = ['get', 'list', 'watch'];

const anything: Usual = () => true;
const nothing: Usual = () => false;

/** Matches these verbs on these resources (`pods`, `serviceaccounts/token`); absent: on any. */
function does(verbs: readonly string[], resources?: readonly string[]): Usual {
  return ({ verb, resource, subresource }) => {
    const what = [resource, subresource].filter((part) => part !== undefined).join('/');
    return verbs.includes(verb) && (resources === undefined || resources.includes(what));
  };
}

function either(...usual: readonly Usual[]): Usual {
  return (request) => usual.some((one) => one(request));
}

/**
 * What the roles `system:controller:NAME` of the bootstrap policy grant each controller of kube-system, as far as a rule of this sensor covers it. A controller
 * that is not listed does nothing of the kind.
 * https://github.com/kubernetes/kubernetes/blob/master/plugin/pkg/auth/authorizer/rbac/bootstrappolicy/controller_policy.go
 */
const controllers: Readonly<Record<string, Usual>> = {
  'clusterrole-aggregation-controller': does([...reads, 'update', 'patch'], ['clusterroles']),
  'generic-garbage-collector': either(does([...reads, 'delete']), does(['patch', 'update'], ['pods', 'secrets'])),
  'namespace-controller': does([...reads, 'delete', 'deletecollection']),
  'resourcequota-controller': does(['list', 'watch']),
  'certificate-controller': does([...reads, 'update', 'patch'], ['certificatesigningrequests/approval']),
  'bootstrap-signer': does(reads, ['secrets']),
  'service-account-controller': does(['create'], ['serviceaccounts']),
  'token-cleaner': does([...reads, 'delete'], ['secrets']),
  'legacy-service-account-token-cleaner': does([...reads, 'patch', 'delete'], ['secrets']),
  'cronjob-controller': does(['create', 'update', 'patch'], ['jobs', 'cronjobs']),
  'job-controller': does(['create', 'update', 'patch'], ['pods', 'jobs']),
  'daemon-set-controller': does(['create', 'patch'], ['pods', 'daemonsets']),
  'deployment-controller': does(['create', 'update', 'patch'], ['replicasets', 'deployments', 'pods']),
  'replicaset-controller': does(['create', 'update', 'patch'], ['pods', 'replicasets']),
  'replication-controller': does(['create', 'patch'], ['pods']),
  'statefulset-controller': does(['create', 'update', 'patch'], ['pods', 'statefulsets']),
};

/** https://github.com/kubernetes/kubernetes/blob/master/plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go */
const users: Readonly<Record<string, Component>> = {
  'system:apiserver': { programs: ['kube-apiserver'], usual: anything },
  'system:kube-controller-manager': {
    programs: ['kube-controller-manager', 'cloud-controller-manager'],
    usual: either(
      does(['list', 'watch']),
      does(['get', 'create', 'update', 'delete'], ['secrets']),
      does(['create'], ['serviceaccounts', 'serviceaccounts/token']),
    ),
  },
  'system:kube-scheduler': { programs: ['kube-scheduler'], usual: nothing },
  'system:kube-proxy': { programs: ['kube-proxy'], usual: nothing },
};

/** The node authorizer and admission restrict it to the objects of its own pods. https://kubernetes.io/docs/reference/access-authn-authz/node/ */
const kubelet: Component = {
  programs: ['kubelet'],
  usual: either(
    (request) => request.name !== undefined && does(reads, ['secrets'])(request),
    does(['create'], ['serviceaccounts/token', 'certificatesigningrequests']),
    // Static pods, which run from a file on the node, are a part of Kubernetes only in this namespace.
    (request) => request.namespace === 'kube-system' && does(['create'], ['pods'])(request),
  ),
};

function componentOf(user: string): Component | undefined {
  if (Object.hasOwn(users, user)) return users[user];
  if (user.startsWith('system:node:')) return kubelet;
  const [, controller = ''] = /^system:serviceaccount:kube-system:([^:]+)$/.exec(user) ?? [];
  if (!Object.hasOwn(controllers, controller)) return undefined;
  return { programs: ['kube-controller-manager'], usual: controllers[controller] ?? nothing };
}

/**
 * Whether this is routine work of a Kubernetes component. A name alone is not trusted, since a certificate or a token for it can be obtained: the program must
 * be that component's, the request must be one that it usually makes, nobody may impersonate it, and if the control plane's addresses are configured, it must
 * come from one of them. (A user agent can be forged, so without addresses only the name and the usual requests protect.)
 */
export function isSystemAtWork(request: AuditRequest, addresses: readonly string[] | undefined): boolean {
  const { user = '', program, impersonated } = request;
  const component = componentOf(user);
  if (!component || impersonated || program === undefined) return false;
  if (!component.programs.includes(program) && !allInOne.includes(program)) return false;
  // There are many nodes, and they come and go.
  if (component !== kubelet && !comesFrom(request, addresses)) return false;
  return component.usual(request);
}

/** Distributions give these names to further programs of theirs, but never to a person's tool. */
const personsTools: ReadonlySet<string> = new Set([
  'kubectl',
  'curl',
  'wget',
  'python-requests',
  'python-urllib',
  'go-http-client',
]);

/**
 * Whether somebody acts as a part of the control plane who is not: with a person's tool, or from an address that is not the control plane's. Nodes and what
 * runs on each of them come from anywhere.
 */
export function isControlPlaneElsewhere(request: AuditRequest, addresses: readonly string[] | undefined): boolean {
  const { user = '', program, impersonated } = request;
  const component = componentOf(user);
  if (!component || component === kubelet || user === 'system:kube-proxy' || impersonated) return false;
  return personsTools.has(program?.toLowerCase() ?? '') || !comesFrom(request, addresses);
}

/** Checks every source address: with a proxy in between, the first is chosen by the sender. */
function comesFrom({ sourceIps }: AuditRequest, addresses: readonly string[] | undefined): boolean {
  if (addresses === undefined || addresses.length === 0) return true;
  const allowed = addresses.flatMap((address) => parseCidr(address) ?? []);
  const within = (ip: string): boolean => {
    const own = parseCidr(ip.replace(/^::ffff:(?=\d+\.)/, ''));
    return own !== undefined && (isLoopback(own) || allowed.some((block) => contains(block, own)));
  };
  return sourceIps.length > 0 && sourceIps.every(within);
}

const loopback = ['127.0.0.0/8', '::1/128'].flatMap((text) => parseCidr(text) ?? []);

function isLoopback(ip: Cidr): boolean {
  return loopback.some((block) => contains(block, ip));
}
