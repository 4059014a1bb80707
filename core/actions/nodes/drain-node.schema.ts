import { z } from 'zod';
import { podSchema } from '../pod.schema.ts';

export const drainNodeInput = z.object({
  node: z.object({ name: z.string().min(1) }),
  suspect: podSchema
    .exactOptional()
    .meta({ description: 'The pod on it that the alert is about, if any: its evidence has to be kept first.' }),
});
export type DrainNodeInput = z.infer<typeof drainNodeInput>;

export const drainNodeOutput = z.object({
  node: z.object({ name: z.string(), uid: z.string() }),
  evicted: z.array(podSchema),
  /** Pods that stay, with the reason: `its disruption budget allows no eviction now`. */
  left: z.array(z.object({ pod: z.string(), reason: z.string() })),
});
export type DrainNodeOutput = z.infer<typeof drainNodeOutput>;
