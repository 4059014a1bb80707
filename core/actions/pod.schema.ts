import { z } from 'zod';

/** A resolved pod: no action is taken on a name alone. */
export const podSchema = z.object({ namespace: z.string().min(1), name: z.string().min(1), uid: z.string().min(1) });
export type ResolvedPod = z.infer<typeof podSchema>;

/** Input of an action on a workload. */
export const suspectSchema = podSchema.meta({
  description: 'The pod of it that the alert is about: its evidence has to be kept first.',
});
