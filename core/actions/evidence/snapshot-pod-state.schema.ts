import { z } from 'zod';
import { podSchema } from '../pod.schema.ts';

export const snapshotPodStateInput = z.object({ pod: podSchema });
export type SnapshotPodStateInput = z.infer<typeof snapshotPodStateInput>;

export const snapshotPodStateOutput = z.object({
  evidence: z.object({
    manifestSha256: z.string(),
    target: z.object({ name: z.string(), uid: z.string().exactOptional() }),
    artefacts: z.array(
      z.object({ name: z.string(), sha256: z.string(), bytes: z.number(), partial: z.string().exactOptional() }),
    ),
  }),
});
export type SnapshotPodStateOutput = z.infer<typeof snapshotPodStateOutput>;
