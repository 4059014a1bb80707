import { z } from 'zod';
import { podSchema } from './pod.schema.ts';
import { workloadSchema } from './workload.schema.ts';

export const deleteWorkloadInput = z.object({
  workload: workloadSchema,
  /** The pod of it that the alert is about: its evidence has to be kept first. */
  suspect: podSchema,
});
export type DeleteWorkloadInput = z.infer<typeof deleteWorkloadInput>;

export const deleteWorkloadOutput = z.object({ workload: workloadSchema, uid: z.string().exactOptional() });
export type DeleteWorkloadOutput = z.infer<typeof deleteWorkloadOutput>;
