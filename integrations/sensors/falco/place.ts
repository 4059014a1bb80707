import type { PodRef, WorkloadRef } from '../../../core/alert/alert.ts';
import { type Fields, firstKnown, objectName } from '../../../core/alert/sensor-text.ts';
import { nodeName, nodeOfHost, workloadKindOf } from '../place.ts';

/** The pod that a system call came from, or the pod or workload that an API request was about. */
export function placeOf(fields: Fields): { readonly pod?: PodRef; readonly workload?: WorkloadRef } {
  const ran = podThatRan(fields);
  if (ran !== undefined) return ran;
  const resource = firstKnown(fields['ka.target.resource']);
  // A name that the API server generated is only in its answer.
  const target = podAt(fields['ka.target.namespace'], firstKnown(fields['ka.target.name'], fields['ka.resp.name']));
  if (target === undefined) return {};
  if (resource === 'pods' || (resource === undefined && isAboutPod(fields))) return { pod: target };
  const kind = workloadKindOf(resource);
  return kind === undefined ? {} : { workload: { kind, ...target } };
}

/** Only pods have these. */
const podSubresources: readonly unknown[] = [
  'exec',
  'attach',
  'portforward',
  'ephemeralcontainers',
  'eviction',
  'binding',
  'log',
];

/**
 * Rules about created pods output the pod's own fields and no resource; the rule about port forwards outputs the subresource.
 * https://github.com/falcosecurity/plugins/blob/main/plugins/k8saudit/rules/k8s_audit_rules.yaml
 */
function isAboutPod(fields: Fields): boolean {
  if (podSubresources.includes(fields['ka.target.subresource'])) return true;
  for (const key in fields) {
    if (!key.startsWith('ka.req.pod.')) continue;
    const value = fields[key];
    if (firstKnown(...(Array.isArray(value) ? value.slice(0, 64) : [value])) !== undefined) return true;
  }
  return false;
}

/**
 * From the container runtime (`k8s.`), or from the plugin that asks the API server (`k8smeta.`).
 * https://falco.org/docs/reference/rules/supported-fields/#field-class-k8s and https://github.com/falcosecurity/plugins/tree/main/plugins/k8smeta
 */
function podThatRan(fields: Fields): { readonly pod: PodRef; readonly workload?: WorkloadRef } | undefined {
  for (const source of ['k8s', 'k8smeta']) {
    const pod = podAt(fields[`${source}.ns.name`], fields[`${source}.pod.name`]);
    if (pod === undefined) continue;
    // Up to 0.37 the uid is in `k8s.pod.id`. A static pod's is a hash of its manifest, which is not the uid that the API server knows.
    const uid = [fields[`${source}.pod.uid`], fields[`${source}.pod.id`]].find((id) => typeof id === 'string' && isUuid.test(id));
    const deployment = objectName(fields[`${source}.deployment.name`]);
    return {
      pod: typeof uid === 'string' ? { ...pod, uid } : pod,
      ...(deployment !== undefined && { workload: { kind: 'Deployment', namespace: pod.namespace, name: deployment } }),
    };
  }
  return undefined;
}

const isUuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function podAt(namespaceValue: unknown, nameValue: unknown): PodRef | undefined {
  const namespace = objectName(namespaceValue);
  const name = objectName(nameValue);
  // Some versions write `host` if there is no pod.
  return namespace === undefined || name === undefined || name === 'host' ? undefined : { namespace, name };
}

/** Falco's own pod, whose name is the hostname unless FALCO_HOSTNAME is set to the node's name. */
const nameOfSensorPod = /^(?:[a-z0-9-]+-)?falco(?:sidekick)?(?:-[a-z0-9-]+)?$/;

/** The node, if the sensor's host is one: not for plugins such as the API audit, which run anywhere, and not if the hostname is the name of Falco's own pod. */
export function nodeOf(event: {
  readonly source: unknown;
  readonly hostname: unknown;
  readonly fields: Fields;
}): string | undefined {
  const named = nodeName(event.fields['k8s.node.name']);
  if (named !== undefined) return named;
  if (Object.keys(event.fields).some((key) => key.startsWith('ka.'))) return undefined;
  if (typeof event.source === 'string' && event.source !== '' && !event.source.startsWith('syscall')) return undefined;
  const host = nodeOfHost(event.hostname);
  return host === undefined || nameOfSensorPod.test(host) ? undefined : host;
}
