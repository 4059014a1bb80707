import { z } from 'zod';
import { workloadSchema } from '../workload.schema.ts';
import { cidrSchema } from './isolate-namespace.schema.ts';

export const blockEgressInput = z.object({
  workload: workloadSchema,
  to: z.array(cidrSchema).min(1).max(64).meta({ description: 'Addresses and CIDRs that its pods may no longer reach.' }),
});
export type BlockEgressInput = z.infer<typeof blockEgressInput>;

export const blockEgressOutput = z.object({
  workload: workloadSchema,
  /** As CIDRs. */
  blocked: z.array(z.string()),
  policy: z.string(),
});
export type BlockEgressOutput = z.infer<typeof blockEgressOutput>;
