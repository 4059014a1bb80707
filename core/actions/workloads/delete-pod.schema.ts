import { z } from 'zod';
import { podSchema } from '../pod.schema.ts';

export const deletePodInput = z.object({ pod: podSchema });
export type DeletePodInput = z.infer<typeof deletePodInput>;

export const deletePodOutput = z.object({ pod: podSchema, alreadyGone: z.boolean() });
export type DeletePodOutput = z.infer<typeof deletePodOutput>;
