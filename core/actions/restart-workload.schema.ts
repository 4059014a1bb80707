import { z } from 'zod';
import { workloadSchema } from './workload.schema.ts';

export const restartWorkloadInput = z.object({ workload: workloadSchema });
export type RestartWorkloadInput = z.infer<typeof restartWorkloadInput>;

export const restartWorkloadOutput = z.object({ workload: workloadSchema, uid: z.string() });
export type RestartWorkloadOutput = z.infer<typeof restartWorkloadOutput>;
