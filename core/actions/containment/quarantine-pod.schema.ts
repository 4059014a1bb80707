import { z } from 'zod';
import { podSchema } from '../pod.schema.ts';

export const quarantinePodInput = z.object({ pod: podSchema });
export type QuarantinePodInput = z.infer<typeof quarantinePodInput>;

export const quarantinePodOutput = z.object({
  pod: podSchema,
  /** The labels that the pod had: the undo restores exactly these. */
  labelsBefore: z.record(z.string(), z.string()),
  /** Other policies that still select the pod and add to what is allowed. */
  additivePolicies: z.array(z.string()),
  policy: z.string(),
  policyCreated: z.boolean(),
  /** Describes what is left open: by the configuration, and what the pod has apart from the cluster's network. */
  exceptions: z.array(z.string()).exactOptional(),
});
export type QuarantinePodOutput = z.infer<typeof quarantinePodOutput>;
