import { z } from 'zod';
import { podSchema } from '../pod.schema.ts';
import { snapshotPodStateOutput } from './snapshot-pod-state.schema.ts';

export const collectLogsInput = z.object({
  pod: podSchema,
  maxLines: z
    .int()
    .min(1)
    .max(1_000_000)
    .exactOptional()
    .meta({ description: 'The newest lines of each log. Default: 100 000.' }),
});
export type CollectLogsInput = z.infer<typeof collectLogsInput>;

export const collectLogsOutput = snapshotPodStateOutput;
export type CollectLogsOutput = z.infer<typeof collectLogsOutput>;
