import { z } from 'zod';
import { podSchema } from '../pod.schema.ts';

export const evictPodInput = z.object({ pod: podSchema });
export type EvictPodInput = z.infer<typeof evictPodInput>;

export const evictPodOutput = z.object({ pod: podSchema, alreadyGone: z.boolean() });
export type EvictPodOutput = z.infer<typeof evictPodOutput>;
