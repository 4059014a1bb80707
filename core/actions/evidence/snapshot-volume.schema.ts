import { z } from 'zod';
import { podSchema } from '../pod.schema.ts';
import { snapshotPodStateOutput } from './snapshot-pod-state.schema.ts';

export const snapshotVolumeInput = z.object({
  pod: podSchema,
  claims: z
    .array(z.string().min(1).max(253))
    .min(1)
    .max(32)
    .exactOptional()
    .meta({ description: 'Names of PersistentVolumeClaims; absent: all that the pod mounts.' }),
  snapshotClass: z
    .string()
    .min(1)
    .max(253)
    .exactOptional()
    .meta({ description: 'A VolumeSnapshotClass; absent: one of the volume’s driver, preferably one that keeps what it took.' }),
  waitSeconds: z
    .int()
    .min(1)
    .max(540)
    .exactOptional()
    .meta({ description: 'Seconds to wait until the snapshots are ready to use. Default: 300.' }),
  round: z
    .int()
    .min(1)
    .max(1_000)
    .exactOptional()
    .meta({ description: 'A volume is taken once per incident and round: another round takes it again.' }),
});
export type SnapshotVolumeInput = z.infer<typeof snapshotVolumeInput>;

export const snapshotVolumeOutput = z.object({
  ...snapshotPodStateOutput.shape,
  namespace: z.string(),
  snapshots: z.array(
    z.object({
      claim: z.string(),
      snapshot: z.string(),
      uid: z.string(),
      content: z.string(),
      /** The storage system's name for it. */
      handle: z.string(),
    }),
  ),
  /** Volumes that could not be taken, and why. */
  missing: z.array(z.string()),
});
export type SnapshotVolumeOutput = z.infer<typeof snapshotVolumeOutput>;
