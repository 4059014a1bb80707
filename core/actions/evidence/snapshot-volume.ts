import { declareAction } from '../../action/action.ts';
import type { SnapshotVolumeInput, SnapshotVolumeOutput } from './snapshot-volume.schema.ts';

/** Stores the volumes of a pod as snapshots of their storage system: CSI VolumeSnapshots, which the evidence lists with their handles. */
export const snapshotVolume = declareAction<SnapshotVolumeInput, SnapshotVolumeOutput>()({
  name: 'snapshotVolume',
  title: 'Keep snapshots of the pod’s volumes',
  effect: 'read',
  reach: 'pod',
  pool: 'cell',
  storesEvidence: true,
  requires: ['pod'],
  timeouts: { planMs: 10_000, applyMs: 600_000, verifyMs: 60_000 },
  rights: [
    { apiGroup: '', resource: 'pods', verbs: ['get'] },
    { apiGroup: '', resource: 'persistentvolumeclaims', verbs: ['get'] },
    { apiGroup: '', resource: 'persistentvolumes', verbs: ['get'] },
    { apiGroup: 'snapshot.storage.k8s.io', resource: 'volumesnapshotclasses', verbs: ['list'] },
    { apiGroup: 'snapshot.storage.k8s.io', resource: 'volumesnapshots', verbs: ['get', 'create'] },
    { apiGroup: 'snapshot.storage.k8s.io', resource: 'volumesnapshotcontents', verbs: ['get'] },
  ],
  verifiedBy:
    'Each VolumeSnapshot and its content are read back: they point at each other, the handle is the one in the signed manifest, and it is ready to use. One that is taken, but not ready yet, is `unverified`.',
  undo: 'None: the snapshots are the evidence. Delete the VolumeSnapshots by hand when the case is closed.',
  example: { pod: { namespace: 'shop', name: 'db-0', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' }, claims: ['data-db-0'] },
});
