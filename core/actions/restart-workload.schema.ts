import { z } from 'zod';
import { podSchema } from './pod.schema.ts';
import { workloadSchema } from './workload.schema.ts';

export const restartWorkloadInput = z.object({
  workload: workloadSchema,
  /** The pod of it that the alert is about: its evidence has to be kept first. */
  suspect: podSchema,
});
export type RestartWorkloadInput = z.infer<typeof restartWorkloadInput>;

export const restartWorkloadOutput = z.object({ workload: workloadSchema, uid: z.string() });
export type RestartWorkloadOutput = z.infer<typeof restartWorkloadOutput>;
