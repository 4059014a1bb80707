import { z } from 'zod';
import { podSchema } from '../pod.schema.ts';

export const cutConnectionsInput = z.object({ pod: podSchema });
export type CutConnectionsInput = z.infer<typeof cutConnectionsInput>;

export const cutConnectionsOutput = z.object({
  pod: podSchema,
  node: z.string(),
  addresses: z.array(z.string()),
  /** Entries of the pod in the node's connection table that were dropped, including those that came back. */
  dropped: z.number(),
  /** Established TCP connections of the pod in the table at the end. */
  left: z.number(),
  /** Number of entries in the whole table before. */
  table: z.number(),
  /** The pod that did it, `namespace/name`. */
  cutter: z.string(),
});
export type CutConnectionsOutput = z.infer<typeof cutConnectionsOutput>;
