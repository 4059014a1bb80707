import { z } from 'zod';
import { containerSchema } from '../container.schema.ts';
import { podSchema } from '../pod.schema.ts';
import { snapshotPodStateOutput } from './snapshot-pod-state.schema.ts';

export const captureTrafficInput = z.object({
  pod: podSchema,
  container: containerSchema
    .optional()
    .meta({ description: 'The container next to which the tools are started. The network is that of the whole pod.' }),
  seconds: z.int().min(1).max(300).exactOptional().meta({ description: 'Default: 30.' }),
  maxBytes: z
    .int()
    .min(1_024)
    .max(256 * 1024 * 1024)
    .exactOptional()
    .meta({ description: 'Default: 16 MiB.' }),
});
export type CaptureTrafficInput = z.infer<typeof captureTrafficInput>;

export const captureTrafficOutput = snapshotPodStateOutput.extend({ packets: z.number() });
export type CaptureTrafficOutput = z.infer<typeof captureTrafficOutput>;
