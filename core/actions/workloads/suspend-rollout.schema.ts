import { z } from 'zod';

export const suspendRolloutInput = z.object({
  deployment: z.object({ namespace: z.string().min(1), name: z.string().min(1) }),
});
export type SuspendRolloutInput = z.infer<typeof suspendRolloutInput>;

export const suspendRolloutOutput = z.object({
  deployment: z.object({ namespace: z.string(), name: z.string() }),
  wasPaused: z.boolean(),
  /** The object that declares it and was paused with it: `application/argocd/cart`. */
  paused: z.string().exactOptional(),
});
export type SuspendRolloutOutput = z.infer<typeof suspendRolloutOutput>;
