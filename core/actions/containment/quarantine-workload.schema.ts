import { z } from 'zod';
import { podSchema } from '../pod.schema.ts';
import { workloadSchema } from '../workload.schema.ts';

export const quarantineWorkloadInput = z.object({ workload: workloadSchema });
export type QuarantineWorkloadInput = z.infer<typeof quarantineWorkloadInput>;

export const quarantineWorkloadOutput = z.object({
  workload: workloadSchema,
  pods: z.array(podSchema),
  /** Pods of the workload that this step does not quarantine, and why. */
  left: z.array(z.object({ pod: z.string(), reason: z.string() })),
  policy: z.string(),
  policyCreated: z.boolean(),
  /** Describes what is left open: by the configuration, and what the pod has apart from the cluster's network. */
  exceptions: z.array(z.string()).exactOptional(),
});
export type QuarantineWorkloadOutput = z.infer<typeof quarantineWorkloadOutput>;
