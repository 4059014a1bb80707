import type { ContainerRef, PodRef, WorkloadRef } from '../../core/alert/alert.ts';
import { objectName, sensorText } from '../../core/alert/sensor-text.ts';
import { present } from './present.ts';

/** A pod that a sensor names; undefined for every way to write that there is none. */
export function podRef(value: {
  readonly namespace: unknown;
  readonly name: unknown;
  readonly uid?: unknown;
}): PodRef | undefined {
  const namespace = objectName(value.namespace);
  const name = objectName(value.name);
  // Some sensors write `host` if there is no pod.
  if (namespace === undefined || name === undefined || name === 'host') return undefined;
  const uid = typeof value.uid === 'string' && /^[0-9A-Za-z-]{1,64}$/.test(value.uid) ? value.uid : undefined;
  return { namespace, name, ...(uid !== undefined && { uid }) };
}

/** The owner that a sensor names; the API server's information replaces it if available. */
export function workloadRef(value: {
  readonly kind: unknown;
  readonly namespace: unknown;
  readonly name: unknown;
}): WorkloadRef | undefined {
  const namespace = objectName(value.namespace);
  const name = objectName(value.name);
  if (namespace === undefined || name === undefined) return undefined;
  if (typeof value.kind !== 'string' || !/^[A-Z][A-Za-z]{1,62}$/.test(value.kind)) return undefined;
  return { kind: value.kind, namespace, name };
}

const workloadKinds: ReadonlyMap<unknown, string> = new Map([
  ['deployments', 'Deployment'],
  ['statefulsets', 'StatefulSet'],
  ['daemonsets', 'DaemonSet'],
  ['replicasets', 'ReplicaSet'],
  ['jobs', 'Job'],
  ['cronjobs', 'CronJob'],
]);

/** By the resource that the API audit names; undefined if it is not a workload. */
export function workloadKindOf(resource: unknown): string | undefined {
  return workloadKinds.get(resource);
}

/** A node's name; hosts write theirs in any case. */
export function nodeName(value: unknown): string | undefined {
  return objectName(typeof value === 'string' ? value.toLowerCase() : undefined);
}

/** 12 hex digits: Docker's host name of a container, from the beginning of the container's id. */
const dockerHostname = /^[0-9a-f]{12}$/;

/** The node from what a sensor considers its hostname, which in its own container is not the node's. */
export function nodeOfHost(hostname: unknown): string | undefined {
  const name = nodeName(hostname);
  return name === undefined || dockerHostname.test(name) ? undefined : name;
}

/**
 * A container: its id without the runtime's scheme, its image without the digest, the digest alone. `image` may be a full `registry/name:tag@sha256:…`.
 * `digest` is a manifest's, alone or after its reference. `imageId` is the one in a container's status: a reference with the manifest's digest or, bare, the id
 * of the image's configuration, by which no registry finds it. https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#PodStatus
 */
export function containerRef(value: {
  readonly id?: unknown;
  readonly name?: unknown;
  readonly image?: unknown;
  readonly digest?: unknown;
  readonly imageId?: unknown;
}): ContainerRef | undefined {
  const id = containerId(value.id);
  const name = known(value.name, 256);
  const written = known(value.image, 512);
  const reference = known(value.imageId, 512)?.replace(/^[a-z0-9.-]{1,32}:\/\//, '');
  // If several tags are one image, the runtime may write the configuration's id instead of the name.
  const named = written?.startsWith('sha256:') ? (reference?.includes('@') ? reference : undefined) : written;
  const image = named?.split('@', 1)[0];
  const digest = digestBehind(written) ?? digestBehind(reference) ?? digestIn(value.digest);
  return present({ id, name, image: image === '' ? undefined : image, digest });
}

function known(value: unknown, atMost: number): string | undefined {
  const text = sensorText(value, atMost);
  return text === 'host' ? undefined : text;
}

function containerId(value: unknown): string | undefined {
  const id = typeof value === 'string' ? value.replace(/^[a-z0-9.-]{1,32}:\/\//, '') : '';
  return id !== 'host' && /^[0-9A-Za-z][\w.-]{0,127}$/.test(id) ? id : undefined;
}

function digestBehind(reference: string | undefined): string | undefined {
  return reference?.includes('@') ? digestIn(reference) : undefined;
}

function digestIn(value: unknown): string | undefined {
  return typeof value === 'string' ? /(?:^|@)(sha256:[0-9a-f]{1,64})$/i.exec(value)?.[1]?.toLowerCase() : undefined;
}
