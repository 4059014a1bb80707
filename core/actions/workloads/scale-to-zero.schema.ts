import { z } from 'zod';
import { suspectSchema } from '../pod.schema.ts';
import { workloadSchema } from '../workload.schema.ts';

export const scaleToZeroInput = z.object({
  workload: workloadSchema,
  suspect: suspectSchema,
});
export type ScaleToZeroInput = z.infer<typeof scaleToZeroInput>;

export const scaleToZeroOutput = z.object({ workload: workloadSchema, replicasBefore: z.number() });
export type ScaleToZeroOutput = z.infer<typeof scaleToZeroOutput>;
