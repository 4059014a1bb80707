import { z } from 'zod';

export const suspendRolloutInput = z.object({
  deployment: z.object({ namespace: z.string().min(1), name: z.string().min(1) }),
});
export type SuspendRolloutInput = z.infer<typeof suspendRolloutInput>;

export const suspendRolloutOutput = z.object({
  deployment: z.object({ namespace: z.string(), name: z.string() }),
  wasPaused: z.boolean(),
});
export type SuspendRolloutOutput = z.infer<typeof suspendRolloutOutput>;
