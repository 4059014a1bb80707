import { z } from 'zod';
import { podSchema } from './pod.schema.ts';
import { workloadSchema } from './workload.schema.ts';

export const scaleToZeroInput = z.object({
  workload: workloadSchema,
  /** The pod of it that the alert is about: its evidence has to be kept first. */
  suspect: podSchema,
});
export type ScaleToZeroInput = z.infer<typeof scaleToZeroInput>;

export const scaleToZeroOutput = z.object({ workload: workloadSchema, replicasBefore: z.number() });
export type ScaleToZeroOutput = z.infer<typeof scaleToZeroOutput>;
