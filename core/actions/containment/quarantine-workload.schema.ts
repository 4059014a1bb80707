import { z } from 'zod';
import { podSchema } from '../pod.schema.ts';
import { workloadSchema } from '../workload.schema.ts';

export const quarantineWorkloadInput = z.object({ workload: workloadSchema });
export type QuarantineWorkloadInput = z.infer<typeof quarantineWorkloadInput>;

export const quarantineWorkloadOutput = z.object({
  workload: workloadSchema,
  pods: z.array(podSchema),
  /** Pods of the workload that are not quarantined by this step, and why. */
  left: z.array(z.object({ pod: z.string(), reason: z.string() })),
  policy: z.string(),
  policyCreated: z.boolean(),
  /** What is left open, in words: by the configuration, and what the pod has besides the cluster's network. */
  exceptions: z.array(z.string()).exactOptional(),
});
export type QuarantineWorkloadOutput = z.infer<typeof quarantineWorkloadOutput>;
