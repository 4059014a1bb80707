import { z } from 'zod';
import { containerSchema } from '../container.schema.ts';
import { podSchema } from '../pod.schema.ts';
import { snapshotPodStateOutput } from './snapshot-pod-state.schema.ts';

export const captureProcessesInput = z.object({
  pod: podSchema,
  container: containerSchema.optional().meta({ description: 'Not needed if the pod runs only one.' }),
});
export type CaptureProcessesInput = z.infer<typeof captureProcessesInput>;

export const captureProcessesOutput = snapshotPodStateOutput.extend({
  /** Which run of the container it was. */
  container: z.object({ id: z.string(), name: z.string() }),
  /** Processes from which a playbook chooses for `killProcess`; the first 200, the whole list is in the evidence. */
  processes: z.array(
    z.object({
      pid: z.number(),
      startTicks: z.number(),
      name: z.string(),
      exe: z.string().exactOptional(),
      /** The running file has been deleted from its folder. */
      exeDeleted: z.literal(true).exactOptional(),
      exeSha256: z.string().exactOptional(),
    }),
  ),
});
export type CaptureProcessesOutput = z.infer<typeof captureProcessesOutput>;
