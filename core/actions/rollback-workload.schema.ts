import { z } from 'zod';
import { podSchema } from './pod.schema.ts';
import { workloadSchema } from './workload.schema.ts';

export const rollbackWorkloadInput = z.object({
  workload: workloadSchema,
  /** The pod of it that the alert is about: its evidence has to be kept first. */
  suspect: podSchema,
  /** Which revision; the one before the current where it is not given. */
  toRevision: z.int().positive().exactOptional(),
});
export type RollbackWorkloadInput = z.infer<typeof rollbackWorkloadInput>;

export const rollbackWorkloadOutput = z.object({ workload: workloadSchema, uid: z.string(), revision: z.number() });
export type RollbackWorkloadOutput = z.infer<typeof rollbackWorkloadOutput>;
