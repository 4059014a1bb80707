import { z } from 'zod';

export const cordonNodeInput = z.object({ node: z.string().min(1) });
export type CordonNodeInput = z.infer<typeof cordonNodeInput>;

export const cordonNodeOutput = z.object({
  node: z.string(),
  /** Whether it was already unschedulable: a release leaves it so. */
  wasCordoned: z.boolean(),
  /** `namespace/name` of the Secrets that pods on this node have: anyone who is root there can read them. Absent: not known. */
  secrets: z.array(z.string()).exactOptional(),
  /** Why the provider has not accepted the order to isolate it. Absent: it has, or none is configured. */
  notIsolated: z.string().exactOptional(),
});
export type CordonNodeOutput = z.infer<typeof cordonNodeOutput>;
