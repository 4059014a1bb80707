import type { ContainerRef, PodRef, WorkloadRef } from '../../core/alert.ts';
import { objectName, sensorText } from '../../core/sensor-text.ts';
import { present } from './present.ts';

/** A pod that a sensor names; undefined however it spells that there is none. */
export function podRef(value: {
  readonly namespace: unknown;
  readonly name: unknown;
  readonly uid?: unknown;
}): PodRef | undefined {
  const namespace = objectName(value.namespace);
  const name = objectName(value.name);
  // `host` is how some sensors spell that there is no pod.
  if (namespace === undefined || name === undefined || name === 'host') return undefined;
  const uid = typeof value.uid === 'string' && /^[0-9A-Za-z-]{1,64}$/.test(value.uid) ? value.uid : undefined;
  return { namespace, name, ...(uid !== undefined && { uid }) };
}

/** The owner that a sensor names; the API server's word replaces it where that can be had. */
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

/** A node's name; hosts write theirs in any case. */
export function nodeName(value: unknown): string | undefined {
  return objectName(typeof value === 'string' ? value.toLowerCase() : undefined);
}

/**
 * A container: its id without the runtime's scheme, its image without the digest, the digest alone. `image` may hold all of
 * `registry/name:tag@sha256:…`, `imageId` may hold the digest.
 */
export function containerRef(value: {
  readonly id?: unknown;
  readonly name?: unknown;
  readonly image?: unknown;
  readonly imageId?: unknown;
}): ContainerRef | undefined {
  const id = containerId(value.id);
  const name = known(value.name, 256);
  const written = known(value.image, 512);
  const image = written?.split('@', 1)[0];
  const digest = digestIn(written) ?? digestIn(value.imageId);
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

function digestIn(value: unknown): string | undefined {
  return typeof value === 'string' ? /(?:^|@)(sha256:[0-9a-f]{1,64})$/i.exec(value)?.[1]?.toLowerCase() : undefined;
}
