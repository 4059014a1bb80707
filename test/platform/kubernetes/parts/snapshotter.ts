import { setTimeout as sleep } from 'node:timers/promises';
import { pathOf } from '../../../../integrations/kubernetes/client.ts';
import { until } from './cluster.ts';

type TestCluster = Awaited<ReturnType<typeof import('./cluster.ts')['openCluster']>>;

const group = 'snapshot.storage.k8s.io';
const text = { type: 'string' };
const free = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

/** The three kinds with the fields, scopes and status subresources of the external-snapshotter's. */
const kinds = [
  {
    kind: 'VolumeSnapshotClass',
    plural: 'volumesnapshotclasses',
    scope: 'Cluster',
    schema: {
      type: 'object',
      required: ['driver', 'deletionPolicy'],
      properties: { driver: text, deletionPolicy: { type: 'string', enum: ['Delete', 'Retain'] }, parameters: free },
    },
  },
  {
    kind: 'VolumeSnapshot',
    plural: 'volumesnapshots',
    scope: 'Namespaced',
    schema: {
      type: 'object',
      required: ['spec'],
      properties: {
        spec: {
          type: 'object',
          required: ['source'],
          properties: {
            source: {
              type: 'object',
              properties: { persistentVolumeClaimName: text, volumeSnapshotContentName: text },
              'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'the source is immutable' }],
            },
            volumeSnapshotClassName: text,
          },
        },
        status: {
          type: 'object',
          properties: {
            boundVolumeSnapshotContentName: text,
            creationTime: { type: 'string', format: 'date-time' },
            readyToUse: { type: 'boolean' },
            restoreSize: text,
            error: { type: 'object', properties: { message: text, time: { type: 'string', format: 'date-time' } } },
          },
        },
      },
    },
  },
  {
    kind: 'VolumeSnapshotContent',
    plural: 'volumesnapshotcontents',
    scope: 'Cluster',
    schema: {
      type: 'object',
      required: ['spec'],
      properties: {
        spec: {
          type: 'object',
          required: ['deletionPolicy', 'driver', 'source', 'volumeSnapshotRef'],
          properties: {
            deletionPolicy: { type: 'string', enum: ['Delete', 'Retain'] },
            driver: text,
            source: { type: 'object', properties: { volumeHandle: text, snapshotHandle: text } },
            volumeSnapshotClassName: text,
            volumeSnapshotRef: free,
          },
        },
        status: {
          type: 'object',
          properties: {
            snapshotHandle: text,
            creationTime: { type: 'integer', format: 'int64' },
            readyToUse: { type: 'boolean' },
            restoreSize: { type: 'integer', format: 'int64' },
          },
        },
      },
    },
  },
];

/** Defines the kinds in the API server, once. */
export async function installSnapshotKinds(cluster: TestCluster): Promise<void> {
  const path = pathOf({ group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions' });
  for (const { kind, plural, scope, schema } of kinds) {
    const name = `${plural}.${group}`;
    const body = {
      metadata: { name, annotations: { 'api-approved.kubernetes.io': 'https://github.com/kubernetes-csi/external-snapshotter' } },
      spec: {
        group,
        scope,
        names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
        versions: [
          { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema }, subresources: { status: {} } },
        ],
      },
    };
    await cluster.post(path, body).catch((error) => {
      if (error.status !== 409) throw error;
    });
    await until(() => cluster.get<object>(pathOf({ group, resource: plural })).catch(() => undefined));
  }
}

/** Creates a claim that is bound to a volume of this namespace's own CSI driver, or of none. */
export async function boundClaim(
  cluster: TestCluster,
  namespace: string,
  claim: string,
  source?: object,
): Promise<{ remove(): Promise<void> }> {
  const volume = `${namespace}-${claim}`;
  const shared = { accessModes: ['ReadWriteOnce'], storageClassName: '' };
  await cluster.post(pathOf({ resource: 'persistentvolumes' }), {
    metadata: { name: volume },
    spec: {
      ...shared,
      capacity: { storage: '1Gi' },
      persistentVolumeReclaimPolicy: 'Retain',
      claimRef: { namespace, name: claim },
      ...(source ?? { csi: { driver: driverOf(namespace), volumeHandle: `vol-${volume}` } }),
    },
  });
  const claims = pathOf({ resource: 'persistentvolumeclaims', namespace });
  await cluster.post(claims, {
    metadata: { name: claim },
    spec: { ...shared, volumeName: volume, resources: { requests: { storage: '1Gi' } } },
  });
  await until(async () => {
    const { status } = await cluster.get<{ status?: { phase?: string } }>(`${claims}/${claim}`);
    return status?.phase === 'Bound' ? true : undefined;
  });
  return { remove: () => remove(cluster, pathOf({ resource: 'persistentvolumes', name: volume })) };
}

export function driverOf(namespace: string): string {
  return `${namespace}.csi.example`;
}

/** Creates a class of the namespace's own driver. */
export async function snapshotClass(
  cluster: TestCluster,
  namespace: string,
  deletionPolicy: 'Delete' | 'Retain',
): Promise<{ readonly name: string; remove(): Promise<void> }> {
  const name = `${namespace}-${deletionPolicy.toLowerCase()}`;
  const path = pathOf({ group, resource: 'volumesnapshotclasses' });
  await cluster.post(path, {
    apiVersion: `${group}/v1`,
    kind: 'VolumeSnapshotClass',
    metadata: { name },
    driver: driverOf(namespace),
    deletionPolicy,
  });
  return { name, remove: () => remove(cluster, `${path}/${name}`) };
}

interface Snapshot {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly spec: { readonly source: { readonly persistentVolumeClaimName: string }; readonly volumeSnapshotClassName: string };
  readonly status?: { readonly readyToUse?: boolean };
}

/**
 * Simulates the external-snapshotter and the driver's sidecar in one namespace: creates the content, binds both, and fills the status in their order. `behaves`
 * says how far it gets with a claim.
 */
export function playSnapshotter(
  cluster: TestCluster,
  namespace: string,
  behaves: (claim: string) => 'ready' | 'slow' | 'failing' = () => 'ready',
): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const made: string[] = [];
  const done = new Set<string>();
  const list = pathOf({ group, resource: 'volumesnapshots', namespace });
  const contents = pathOf({ group, resource: 'volumesnapshotcontents' });
  const setStatus = (path: string, status: object) =>
    cluster.api.json({ method: 'PATCH', patch: 'merge', path: `${path}/status`, body: { status }, what: 'play the snapshotter' });

  const serve = async ({ metadata, spec }: Snapshot): Promise<void> => {
    const claim = spec.source.persistentVolumeClaimName;
    const manner = behaves(claim);
    const path = `${list}/${metadata.name}`;
    const time = new Date().toISOString();
    if (manner === 'failing') {
      await setStatus(path, {
        readyToUse: false,
        error: { time, message: 'rpc error: --secret-key=hunter2hunter2 was refused' },
      });
      return;
    }
    const name = `snapcontent-${metadata.uid}`;
    const { deletionPolicy } = await cluster.get<{ deletionPolicy: string }>(
      pathOf({ group, resource: 'volumesnapshotclasses', name: spec.volumeSnapshotClassName }),
    );
    const { spec: claimed } = await cluster.get<{ spec: { volumeName: string } }>(
      pathOf({ resource: 'persistentvolumeclaims', namespace, name: claim }),
    );
    await cluster.post(contents, {
      apiVersion: `${group}/v1`,
      kind: 'VolumeSnapshotContent',
      metadata: { name },
      spec: {
        deletionPolicy,
        driver: driverOf(namespace),
        source: { volumeHandle: `vol-${claimed.volumeName}` },
        volumeSnapshotClassName: spec.volumeSnapshotClassName,
        volumeSnapshotRef: { kind: 'VolumeSnapshot', namespace, name: metadata.name, uid: metadata.uid },
      },
    });
    made.push(`${contents}/${name}`);
    await setStatus(path, { boundVolumeSnapshotContentName: name, readyToUse: false });
    const ready = manner === 'ready';
    await setStatus(`${contents}/${name}`, {
      snapshotHandle: `snap-${metadata.uid}`,
      creationTime: Date.now() * 1_000_000,
      readyToUse: ready,
      restoreSize: 2 ** 30,
    });
    await setStatus(path, { creationTime: time, restoreSize: '1Gi', readyToUse: ready });
  };

  const playing = (async () => {
    while (!stopping.signal.aborted) {
      const { items } = await cluster.get<{ items: readonly Snapshot[] }>(list);
      for (const snapshot of items)
        if (!done.has(snapshot.metadata.uid)) {
          done.add(snapshot.metadata.uid);
          await serve(snapshot);
        }
      await sleep(50);
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await playing;
      for (const path of made) await remove(cluster, path);
    },
  };
}

async function remove(cluster: TestCluster, path: string): Promise<void> {
  await cluster.api.json({ method: 'DELETE', path, what: 'clean up' });
}
