import { z } from 'zod';
import { podSchema } from '../pod.schema.ts';

export const probeQuarantineInput = z.object({ pod: podSchema });
export type ProbeQuarantineInput = z.infer<typeof probeQuarantineInput>;

/** `silent`: no answer, as when a policy drops it. */
export const outcomeSchema = z.enum(['connected', 'refused', 'silent', 'failed']);

export const probeQuarantineOutput = z.object({
  pod: podSchema,
  /** From one pod of ours to another: whether pods can connect at all. */
  control: outcomeSchema,
  /** From a pod of ours to the suspect, by `address:port`. */
  into: z.array(z.object({ address: z.string(), outcome: outcomeSchema })),
  /** From inside the suspect to a pod of ours. */
  from: outcomeSchema.exactOptional(),
  /** Why it was not tried from inside. */
  notFrom: z.string().exactOptional(),
});
export type ProbeQuarantineOutput = z.infer<typeof probeQuarantineOutput>;
