import { posix } from 'node:path';
import { type Fields, objectOf } from '../../../core/alert/sensor-text.ts';
import { redactSecrets } from '../../../core/text/redact.ts';
import { type AuditRequest, isPartOfElement } from './request.ts';

const containerLists = ['containers', 'initContainers', 'ephemeralContainers'] as const;

/** All of them, however many: the one that matters may follow a thousand harmless ones. An event is no larger than an alert may be. */
export function objectsIn(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.map(objectOf).filter((item) => item !== undefined) : [];
}

const everybody: readonly string[] = [
  'system:anonymous',
  'system:unauthenticated',
  'system:authenticated',
  'system:serviceaccounts',
];

function subjectsOf({ written, answered }: AuditRequest): readonly unknown[] {
  return [...written, answered].flatMap((binding) => objectsIn(binding?.subjects).map(({ name }) => name));
}

/** Whether a binding includes the group that may do everything, whatever the role is. */
export function bindsMasters(request: AuditRequest): boolean {
  return subjectsOf(request).includes('system:masters');
}

export function bindsEverybody(request: AuditRequest): boolean {
  return subjectsOf(request).some((name) => typeof name === 'string' && everybody.includes(name));
}

/** Whether a value of a ConfigMap looks like a secret. All values are searched together, however many: an event has at most 1 MiB. */
export function holdsCredentials({ resource, written }: AuditRequest): boolean {
  if (resource !== 'configmaps') return false;
  const lines = written
    .flatMap(({ data, binaryData }) => [
      ...linesOf(data, (text) => text),
      ...linesOf(binaryData, (text) => Buffer.from(text, 'base64').toString('latin1')),
    ])
    .join(between);
  return redactSecrets(lines) !== lines;
}

/** More blanks than may separate a secret's name from its value, so that no pattern matches across two values. */
const between = '\n'.repeat(6);

function linesOf(data: unknown, read: (text: string) => string): readonly string[] {
  return Object.entries(objectOf(data) ?? {}).flatMap(([name, value]) =>
    typeof value === 'string' ? [`${name}=${read(value)}`] : [],
  );
}

export function opensEveryNode({ resource, written, answered }: AuditRequest): boolean {
  if (resource !== 'services') return false;
  return [...written, answered].some((service) => objectOf(service?.spec)?.type === 'NodePort');
}

/** Whether a Service is reachable from outside the cluster, through its own load balancer. */
export function opensToOutside({ written, answered }: AuditRequest): boolean {
  return [...written, answered].some((service) => objectOf(service?.spec)?.type === 'LoadBalancer');
}

/**
 * Nodes send traffic for these addresses to the Service's pods, whoever owns the addresses.
 * https://kubernetes.io/docs/concepts/services-networking/service/#external-ips and CVE-2020-8554
 */
export function takesAddresses({ written, answered }: AuditRequest): boolean {
  return [...written, answered].some((service) => {
    const addresses: unknown = objectOf(service?.spec)?.externalIPs;
    return Array.isArray(addresses) && addresses.length > 0;
  });
}

/** Whether an Ingress has a rule for every host, or a default backend for unmatched requests. */
export function takesAllHosts({ written, answered }: AuditRequest): boolean {
  return [...written, answered].some((ingress) => {
    const spec = objectOf(ingress?.spec);
    if (objectOf(spec?.defaultBackend) !== undefined) return true;
    return objectsIn(spec?.rules).some((rule) => {
      if (isPartOfElement(rule) && !('host' in rule)) return false;
      return rule.host === undefined || rule.host === '' || rule.host === '*';
    });
  });
}

/** Whether an image of a pod, or of a workload's template, is from none of these registries (`registry.example.com`, or `registry.example.com/shop`). */
export function foreignImage({ written, answered }: AuditRequest, registries: readonly string[]): boolean {
  return [...written, answered].some((object) => {
    const spec = podSpecOf(object);
    if (!spec) return false;
    const images = containerLists.flatMap((list) => objectsIn(spec[list]).map(({ image }) => image));
    return images.some((image) => typeof image === 'string' && !registries.some((one) => isFrom(wholeImage(image), one)));
  });
}

function isFrom(image: string, registry: string): boolean {
  return image.startsWith(`${registry}/`);
}

/** `nginx` is `docker.io/library/nginx`. https://pkg.go.dev/github.com/distribution/reference#ParseNormalizedNamed */
function wholeImage(image: string): string {
  const [first = '', ...rest] = image.split('/');
  if (rest.length === 0) return `docker.io/library/${image}`;
  return /[.:]/.test(first) || first === 'localhost' ? image : `docker.io/${image}`;
}

/** Whether a pod, or a workload's template, can reach its node. */
export function opensTheNode({ written, answered }: AuditRequest): boolean {
  return [...written, answered].some((object) => {
    const spec = podSpecOf(object);
    return spec !== undefined && isOpen(spec);
  });
}

/** Whether an added ephemeral container can reach the node, whatever the rest of the pod can. */
export function addsOpenContainer({ written }: AuditRequest): boolean {
  return written.some((pod) => isOpen({ ephemeralContainers: objectOf(pod.spec)?.ephemeralContainers }));
}

/** Node paths that a PersistentVolume uses. https://kubernetes.io/docs/concepts/security/rbac-good-practices/#persistent-volume-creation */
export function volumePaths({ written, answered }: AuditRequest): readonly string[] {
  return [...written, answered].flatMap((volume) => {
    const spec = objectOf(volume?.spec);
    return [spec?.hostPath, spec?.local].map((source) => objectOf(source)?.path).filter((path) => typeof path === 'string');
  });
}

const pathsOfTheNode =
  '/bin /boot /dev /etc /home /lib /proc /root /run /sbin /sys /usr /var/lib/containerd /var/lib/containers /var/lib/docker /var/lib/etcd /var/lib/kubelet /var/log /var/run'.split(
    ' ',
  );

/** Whether the path is one of them, below one, or above one. */
export function isOfTheNode(path: string): boolean {
  const whole = `${posix.normalize(path).replace(/\/+$/, '')}/`;
  return pathsOfTheNode.some((one) => whole.startsWith(`${one}/`) || `${one}/`.startsWith(whole));
}

const enforced = 'pod-security.kubernetes.io/enforce';

/** https://kubernetes.io/docs/concepts/security/pod-security-admission/#pod-security-admission-labels-for-namespaces */
export function lowersPodSecurity({ written }: AuditRequest): boolean {
  return written.some((namespace) => {
    const labels = objectOf(objectOf(namespace.metadata)?.labels);
    if (!labels || !Object.hasOwn(labels, enforced)) return false;
    const level = labels[enforced];
    return level === undefined || level === null || level === 'privileged';
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
  return containerLists.some((list) =>
    objectsIn(spec[list]).some(({ securityContext }) => {
      const context = objectOf(securityContext);
      const added: unknown = objectOf(context?.capabilities)?.add;
      return (
        context?.privileged === true ||
        (Array.isArray(added) && ['SYS_ADMIN', 'CAP_SYS_ADMIN', 'ALL'].some((capability) => added.includes(capability)))
      );
    }),
  );
}
