import { collectNodeInfoImplementation } from '../../../activities/actions/evidence/collect-node-info.ts';
import { snapshotPodStateImplementation } from '../../../activities/actions/evidence/snapshot-pod-state.ts';
import { snapshotVolumeImplementation } from '../../../activities/actions/evidence/snapshot-volume.ts';
import { collectNodeInfoInput } from '../../../core/actions/evidence/collect-node-info.schema.ts';
import { snapshotPodStateInput } from '../../../core/actions/evidence/snapshot-pod-state.schema.ts';
import { snapshotVolumeInput } from '../../../core/actions/evidence/snapshot-volume.schema.ts';
import { collectNodeInfo, snapshotPodState, snapshotVolume } from '../../../core/actions/index.ts';
import { resolved } from '../kubernetes/parts/cluster.ts';
import { boundClaim, installSnapshotKinds, playSnapshotter, snapshotClass } from '../kubernetes/parts/snapshotter.ts';
import { ownNode } from './eradication-table.ts';
import { type AnyRow, row } from './row.ts';

/** Actions that store evidence through the API server alone. */
export const evidenceTable: readonly AnyRow[] = [
  row({
    declaration: snapshotPodState,
    input: snapshotPodStateInput,
    implementation: ({ api, evidence }) => snapshotPodStateImplementation({ api, ...evidence }),
    async scene(cluster, namespace) {
      const pod = resolved(await cluster.makePod(namespace, 'cart'));
      return { input: { pod }, objects: [{ kind: 'Pod', resource: 'pods', namespace, name: 'cart' }] };
    },
    verification: 'verified',
    unused: { 'get pods/log': 'a log that cannot be read makes the snapshot partial', 'list events': 'as the log' },
  }),
  row({
    declaration: collectNodeInfo,
    input: collectNodeInfoInput,
    implementation: ({ api, view, evidence }) => collectNodeInfoImplementation({ api, view, ...evidence }),
    async scene(cluster, namespace) {
      const { node, end } = await ownNode(cluster, namespace);
      await cluster.makePod(namespace, 'cart', { spec: { nodeName: node } });
      return { input: { node }, objects: [], end };
    },
    verification: 'verified',
  }),
  row({
    declaration: snapshotVolume,
    input: snapshotVolumeInput,
    implementation: ({ api, cellKey, evidence }) => snapshotVolumeImplementation({ api, cellKey, ...evidence, pollMs: 50 }),
    async scene(cluster, namespace) {
      await installSnapshotKinds(cluster);
      const claim = await boundClaim(cluster, namespace, 'data');
      const kind = await snapshotClass(cluster, namespace, 'Retain');
      const snapshotter = playSnapshotter(cluster, namespace);
      const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }];
      const spec = { containers: [{ name: 'main', image: 'shop/db:1' }], volumes };
      const pod = resolved(await cluster.makePod(namespace, 'db', { spec }));
      return {
        input: { pod },
        objects: [],
        end: async () => {
          await snapshotter.stop();
          await kind.remove();
          await claim.remove();
        },
      };
    },
    verification: 'verified',
  }),
];
