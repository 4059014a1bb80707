import { z } from 'zod';
import { podSchema, suspectSchema } from '../pod.schema.ts';
import { workloadSchema } from '../workload.schema.ts';

export const deleteWorkloadInput = z.object({
  workload: workloadSchema,
  suspect: suspectSchema,
});
export type DeleteWorkloadInput = z.infer<typeof deleteWorkloadInput>;

export const deleteWorkloadOutput = z.object({
  workload: workloadSchema,
  uid: z.string().exactOptional(),
  pods: z.array(podSchema).meta({ description: 'Those that it had when it was planned or done.' }),
});
export type DeleteWorkloadOutput = z.infer<typeof deleteWorkloadOutput>;
