import { z } from 'zod';
import { podSchema } from '../pod.schema.ts';

export const countConnectionsInput = z.object({ pod: podSchema });
export type CountConnectionsInput = z.infer<typeof countConnectionsInput>;

export const countConnectionsOutput = z.object({
  pod: podSchema,
  node: z.string(),
  addresses: z.array(z.string()),
  /** Established TCP connections of the pod in the node's connection table. */
  open: z.number(),
  /** Other entries of the pod: UDP, and TCP connections being opened or closed. */
  others: z.number(),
  /** Entries of addresses next to the pod's, i.e. of other pods there: if there are any, the node tracks its pods' connections. */
  neighbours: z.number(),
  /** Number of entries in the whole table. */
  table: z.number(),
  /** The pod that counted, `namespace/name`. */
  counter: z.string(),
});
export type CountConnectionsOutput = z.infer<typeof countConnectionsOutput>;
