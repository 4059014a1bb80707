import type { V1PersistentVolume, V1PersistentVolumeClaim } from '@kubernetes/client-node';
import { undefinedIf } from '../../../core/errors.ts';
import { type KubernetesApi, pathOf } from '../client.ts';
import { listObjects, type ObjectJson, type ObjectRef, readObject } from '../objects.ts';
import type { Jsonify, PodJson } from '../watch/projection.ts';

const group = 'snapshot.storage.k8s.io';
const isDefault = 'snapshot.storage.kubernetes.io/is-default-class';

/** https://kubernetes.io/docs/concepts/storage/volume-snapshot-classes/ */
export interface SnapshotClass {
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly driver: string;
  readonly deletionPolicy: 'Delete' | 'Retain';
}

/** A VolumeSnapshot with its bound content, as the external-snapshotter maintains them. */
export interface SnapshotState {
  readonly uid: string;
  /** Undefined until both refer to each other. */
  readonly content?: {
    readonly name: string;
    readonly driver: string;
    readonly deletionPolicy: string;
    readonly volumeHandle?: string;
    /** The storage system's id of the snapshot; undefined until it was taken. */
    readonly handle?: string;
  };
  /** When the storage system took it, ISO 8601. */
  readonly cutAt?: string;
  readonly restoreSize?: string;
  readonly ready: boolean;
  /** The driver's last error. It keeps trying. */
  readonly error?: string;
}

/** Names of the claims that a pod mounts, in order; a generic ephemeral volume's claim is named after pod and volume. */
export function claimsOf(pod: PodJson): readonly string[] {
  const found = (pod.spec?.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) => [
    ...(persistentVolumeClaim ? [persistentVolumeClaim.claimName] : []),
    ...(ephemeral ? [`${pod.metadata?.name ?? ''}-${name}`] : []),
  ]);
  return [...new Set(found)];
}

/** Undefined if the cluster does not know VolumeSnapshots. */
export async function snapshotClasses(api: KubernetesApi, signal: AbortSignal): Promise<readonly SnapshotClass[] | undefined> {
  return listObjects<SnapshotClass>({
    api,
    ref: { kind: 'VolumeSnapshotClass', group, resource: 'volumesnapshotclasses' },
    signal,
  }).catch(undefinedIf('FB_ERR_NOT_FOUND'));
}

/** Prefers a class that keeps its snapshots when their objects are deleted, then the driver's default, then the first by name. */
export function chooseClass(classes: readonly SnapshotClass[], driver: string): SnapshotClass | undefined {
  const rank = ({ deletionPolicy, metadata }: SnapshotClass): string =>
    `${deletionPolicy === 'Retain' ? 0 : 1}${metadata.annotations?.[isDefault] === 'true' ? 0 : 1}${metadata.name}`;
  return classes.filter((one) => one.driver === driver).sort((a, b) => (rank(a) < rank(b) ? -1 : 1))[0];
}

/** The CSI volume behind a claim, or why there is none, in words. */
export async function volumeOf(options: {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly claim: string;
  readonly signal: AbortSignal;
}): Promise<{ readonly driver: string; readonly volumeHandle: string; readonly volume: string } | { readonly reason: string }> {
  const { api, namespace, claim: name, signal } = options;
  const get = async <T>(ref: Omit<ObjectRef, 'kind'>, what: string): Promise<T | undefined> => {
    return api.json<T>({ method: 'GET', path: pathOf(ref), what, signal }).catch(undefinedIf('FB_ERR_NOT_FOUND'));
  };
  const claim = await get<Jsonify<V1PersistentVolumeClaim>>(
    { resource: 'persistentvolumeclaims', namespace, name },
    `get persistentvolumeclaims in ${namespace}`,
  );
  if (!claim) return { reason: 'the claim does not exist' };
  const volume = claim.spec?.volumeName;
  if (!volume || claim.status?.phase !== 'Bound') return { reason: 'the claim is not bound to a volume' };
  const found = await get<Jsonify<V1PersistentVolume>>({ resource: 'persistentvolumes', name: volume }, 'get persistentvolumes');
  const csi = found?.spec?.csi;
  return csi
    ? { driver: csi.driver, volumeHandle: csi.volumeHandle, volume }
    : { reason: `volume ${volume} does not use a CSI driver, and only CSI drivers take snapshots` };
}

export function snapshotRef(namespace: string, name: string): ObjectRef {
  return { kind: 'VolumeSnapshot', group, resource: 'volumesnapshots', namespace, name };
}

/** Undefined if there is no VolumeSnapshot of this name. Ignores a content that does not refer back to it. */
export async function readSnapshot(options: {
  readonly api: KubernetesApi;
  readonly ref: ObjectRef;
  readonly signal: AbortSignal;
}): Promise<SnapshotState | undefined> {
  const { api, ref, signal } = options;
  const snapshot = await readObject({ api, ref, signal });
  if (!snapshot) return undefined;
  const { uid } = snapshot.metadata;
  const { status = {} } = snapshot as ObjectJson & { readonly status?: SnapshotStatus };
  const { boundVolumeSnapshotContentName: name, creationTime, restoreSize, error } = status;
  const content = name === undefined ? undefined : await boundContent({ api, name, uid, signal });
  return {
    uid,
    ...(content && { content }),
    ...(creationTime !== undefined && { cutAt: creationTime }),
    ...(restoreSize !== undefined && { restoreSize }),
    ready: status.readyToUse === true && content?.handle !== undefined,
    ...(error?.message !== undefined && { error: error.message }),
  };
}

interface SnapshotStatus {
  readonly boundVolumeSnapshotContentName?: string;
  readonly creationTime?: string;
  readonly readyToUse?: boolean;
  readonly restoreSize?: string;
  readonly error?: { readonly message?: string };
}

interface SnapshotContent {
  readonly spec: {
    readonly driver: string;
    readonly deletionPolicy: string;
    readonly source: { readonly volumeHandle?: string };
    readonly volumeSnapshotRef: { readonly uid?: string };
  };
  readonly status?: { readonly snapshotHandle?: string };
}

async function boundContent(options: {
  readonly api: KubernetesApi;
  readonly name: string;
  readonly uid: string;
  readonly signal: AbortSignal;
}): Promise<SnapshotState['content']> {
  const { api, name, uid, signal } = options;
  const ref = { kind: 'VolumeSnapshotContent', group, resource: 'volumesnapshotcontents', name };
  const found = (await readObject({ api, ref, signal })) as (ObjectJson & SnapshotContent) | undefined;
  if (found?.spec.volumeSnapshotRef.uid !== uid) return undefined;
  const { driver, deletionPolicy, source } = found.spec;
  const handle = found.status?.snapshotHandle;
  return {
    name,
    driver,
    deletionPolicy,
    ...(source.volumeHandle !== undefined && { volumeHandle: source.volumeHandle }),
    ...(handle !== undefined && { handle }),
  };
}
