import type { PodRef, WorkloadRef } from '../../../core/alert.ts';
import { objectName } from '../../../core/sensor-text.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Resources of the API audit that are workloads themselves. */
const workloadKinds: Readonly<Record<string, string>> = {
  deployments: 'Deployment',
  statefulsets: 'StatefulSet',
  daemonsets: 'DaemonSet',
  replicasets: 'ReplicaSet',
  jobs: 'Job',
  cronjobs: 'CronJob',
};

/** The pod that a system call came from, or the pod or workload that an API request was about. */
export function placeOf(fields: Fields): { readonly pod?: PodRef; readonly workload?: WorkloadRef } {
  const pod = podAt(fields['k8s.ns.name'], fields['k8s.pod.name']);
  if (pod !== undefined) return { pod };
  const resource = fields['ka.target.resource'];
  if (resource === 'pods') {
    const target = podAt(fields['ka.target.namespace'], fields['ka.target.name']);
    return target === undefined ? {} : { pod: target };
  }
  if (typeof resource !== 'string' || !Object.hasOwn(workloadKinds, resource)) return {};
  const kind = workloadKinds[resource];
  const target = podAt(fields['ka.target.namespace'], fields['ka.target.name']);
  return kind === undefined || target === undefined ? {} : { workload: { kind, ...target } };
}

function podAt(namespaceValue: unknown, nameValue: unknown): PodRef | undefined {
  const namespace = objectName(namespaceValue);
  const name = objectName(nameValue);
  // `host` is how some versions spell that there is no pod.
  return namespace === undefined || name === undefined || name === 'host' ? undefined : { namespace, name };
}

/** Falco's own pod, whose name is the hostname unless FALCO_HOSTNAME is set from the node's name. */
const nameOfSensorPod = /^(?:[a-z0-9-]+-)?falco(?:sidekick)?(?:-[a-z0-9-]+)?$/;

/**
 * The node, where the sensor's host is one: not for plugins such as the API audit, which run anywhere, and not where the
 * hostname is the name of Falco's own pod.
 */
export function nodeOf(event: {
  readonly source: unknown;
  readonly hostname: unknown;
  readonly fields: Fields;
}): string | undefined {
  const named = objectName(event.fields['k8s.node.name']);
  if (named !== undefined) return named;
  if (Object.keys(event.fields).some((key) => key.startsWith('ka.'))) return undefined;
  if (typeof event.source === 'string' && event.source !== '' && !event.source.startsWith('syscall')) return undefined;
  const host = objectName(typeof event.hostname === 'string' ? event.hostname.toLowerCase() : undefined);
  return host === undefined || nameOfSensorPod.test(host) ? undefined : host;
}
