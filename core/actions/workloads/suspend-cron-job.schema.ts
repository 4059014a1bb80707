import { z } from 'zod';

export const suspendCronJobInput = z.object({
  cronJob: z.object({ namespace: z.string().min(1), name: z.string().min(1) }),
});
export type SuspendCronJobInput = z.infer<typeof suspendCronJobInput>;

export const suspendCronJobOutput = z.object({
  cronJob: z.object({ namespace: z.string(), name: z.string() }),
  wasSuspended: z.boolean(),
  /** The object that declares it and was paused with it: `application/argocd/cart`. */
  paused: z.string().exactOptional(),
});
export type SuspendCronJobOutput = z.infer<typeof suspendCronJobOutput>;
