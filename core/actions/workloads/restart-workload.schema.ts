import { z } from 'zod';
import { suspectSchema } from '../pod.schema.ts';
import { workloadSchema } from '../workload.schema.ts';

export const restartWorkloadInput = z.object({
  workload: workloadSchema,
  suspect: suspectSchema,
});
export type RestartWorkloadInput = z.infer<typeof restartWorkloadInput>;

export const restartWorkloadOutput = z.object({ workload: workloadSchema, uid: z.string() });
export type RestartWorkloadOutput = z.infer<typeof restartWorkloadOutput>;
