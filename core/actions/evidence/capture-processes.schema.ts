import { z } from 'zod';
import { containerSchema } from '../container.schema.ts';
import { podSchema } from '../pod.schema.ts';
import { snapshotPodStateOutput } from './snapshot-pod-state.schema.ts';

export const captureProcessesInput = z.object({
  pod: podSchema,
  container: containerSchema.optional().meta({ description: 'Not needed where the pod runs only one.' }),
});
export type CaptureProcessesInput = z.infer<typeof captureProcessesInput>;

export const captureProcessesOutput = snapshotPodStateOutput.extend({
  /** Which run of the container it was. */
  container: z.object({ id: z.string(), name: z.string() }),
  /** What a playbook chooses from for `killProcess`; the first 200, the whole list is in the evidence. */
  processes: z.array(
    z.object({
      pid: z.number(),
      startTicks: z.number(),
      name: z.string(),
      exe: z.string().exactOptional(),
      /** The file that runs is in no folder any more. */
      exeDeleted: z.literal(true).exactOptional(),
      exeSha256: z.string().exactOptional(),
    }),
  ),
});
export type CaptureProcessesOutput = z.infer<typeof captureProcessesOutput>;
