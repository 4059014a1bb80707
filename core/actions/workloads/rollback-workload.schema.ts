import { z } from 'zod';
import { suspectSchema } from '../pod.schema.ts';
import { workloadSchema } from '../workload.schema.ts';

export const rollbackWorkloadInput = z.object({
  workload: workloadSchema,
  suspect: suspectSchema,
  toRevision: z
    .int()
    .positive()
    .exactOptional()
    .meta({ description: 'Which revision. Default: the one before the current one.' }),
});
export type RollbackWorkloadInput = z.infer<typeof rollbackWorkloadInput>;

export const rollbackWorkloadOutput = z.object({ workload: workloadSchema, uid: z.string(), revision: z.number() });
export type RollbackWorkloadOutput = z.infer<typeof rollbackWorkloadOutput>;
