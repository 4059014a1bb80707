import type { ContainerRef, PodRef, WorkloadRef } from '../../../core/alert/alert.ts';
import { type Fields, firstFilled, firstKnown, objectOf } from '../../../core/alert/sensor-text.ts';
import { containerRef, nodeName, nodeOfHost, podRef, workloadRef } from '../place.ts';

const atMost = 32;

/** The objects of a list; old versions write one object instead of a list. */
export function listOf(value: unknown): readonly Fields[] {
  const list: readonly unknown[] = Array.isArray(value) ? value.slice(0, atMost) : [value];
  return list.map(objectOf).filter((item) => item !== undefined);
}

interface Place {
  readonly node?: string;
  readonly pod?: PodRef;
  readonly container?: ContainerRef;
  readonly workload?: WorkloadRef;
}

const workloadTypes: Readonly<Record<string, string>> = {
  deployment: 'Deployment',
  statefulset: 'StatefulSet',
  daemonset: 'DaemonSet',
  replicaset: 'ReplicaSet',
  job: 'Job',
  cronjob: 'CronJob',
};

/** `Pod`, `pods`, `Kubernetes Pod`, `K8sPod` → `pod`. */
function typeOf(resource: Fields): string {
  const type = typeof resource.type === 'string' ? resource.type.toLowerCase() : '';
  return type.replace(/^(?:kubernetes|k8s)[\s:/._-]*/, '').replace(/s$/, '');
}

/** The pod, workload or node among the resources, and the container of the evidence. */
export function placeOf(event: Fields, evidences: readonly Fields[]): Place {
  const resources = listOf(event.resources);
  const ofType = (type: string): Fields | undefined => resources.find((resource) => typeOf(resource) === type);
  const podResource = ofType('pod');
  const pod = podResource && podRef({ namespace: podResource.namespace, name: podResource.name, uid: podResource.uid });
  const owner = resources.find((resource) => Object.hasOwn(workloadTypes, typeOf(resource)));
  const kind = owner && workloadTypes[typeOf(owner)];
  const workload = owner && workloadRef({ kind, namespace: owner.namespace, name: owner.name });
  const device = objectOf(event.device);
  const sent = firstFilled(event.container, ...evidences.map(containerIn), device?.container);
  const image = objectOf(sent?.image);
  const container =
    sent &&
    containerRef({ id: sent.uid, name: sent.name, image: imageName(image), digest: firstKnown(image?.uid, sent.image_digest) });
  const host = listOf(event.observables).find(({ name }) => name === 'hostname')?.value;
  const node = nodeName(ofType('node')?.name) ?? nodeOfHost(firstKnown(device?.hostname, device?.name, host));
  return {
    ...(node !== undefined && { node }),
    ...(pod && { pod }),
    ...(container && { container }),
    ...(workload && { workload }),
  };
}

function containerIn(evidence: Fields): Fields | undefined {
  return firstFilled(evidence.container, objectOf(evidence.process)?.container);
}

function imageName(image: Fields | undefined): unknown {
  if (typeof image?.name !== 'string') return undefined;
  const tag = firstKnown(image.tag);
  return typeof tag === 'string' && !image.name.includes(':') ? `${image.name}:${tag}` : image.name;
}
