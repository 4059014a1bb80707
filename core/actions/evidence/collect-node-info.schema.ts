import { z } from 'zod';
import { snapshotPodStateOutput } from './snapshot-pod-state.schema.ts';

export const collectNodeInfoInput = z.object({ node: z.string().min(1) });
export type CollectNodeInfoInput = z.infer<typeof collectNodeInfoInput>;

export const collectNodeInfoOutput = snapshotPodStateOutput;
export type CollectNodeInfoOutput = z.infer<typeof collectNodeInfoOutput>;
