import { z } from 'zod';
import { podSchema, suspectSchema } from '../pod.schema.ts';
import { workloadSchema } from '../workload.schema.ts';

export const scaleToZeroInput = z.object({
  workload: workloadSchema,
  suspect: suspectSchema,
});
export type ScaleToZeroInput = z.infer<typeof scaleToZeroInput>;

export const scaleToZeroOutput = z.object({
  workload: workloadSchema,
  replicasBefore: z.number(),
  pods: z.array(podSchema).meta({ description: 'Those that it had when it was scaled.' }),
  /** The object that declares it and was paused with it: `application/argocd/cart`. */
  paused: z.string().exactOptional(),
});
export type ScaleToZeroOutput = z.infer<typeof scaleToZeroOutput>;
