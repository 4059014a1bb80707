import { z } from 'zod';
import { containerSchema } from '../container.schema.ts';
import { podSchema } from '../pod.schema.ts';
import { snapshotPodStateOutput } from './snapshot-pod-state.schema.ts';

export const checkpointContainerInput = z.object({
  pod: podSchema,
  container: containerSchema.exactOptional().meta({ description: 'Not needed if the pod runs only one.' }),
});
export type CheckpointContainerInput = z.infer<typeof checkpointContainerInput>;

export const checkpointContainerOutput = snapshotPodStateOutput.extend({
  /** Which run of the container it was. */
  container: z.object({ id: z.string(), name: z.string() }),
  node: z.string(),
  /** Our pod that fetched the archive, `namespace/name`. */
  fetcher: z.string(),
});
export type CheckpointContainerOutput = z.infer<typeof checkpointContainerOutput>;
