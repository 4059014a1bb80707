import { z } from 'zod';
import { podSchema } from '../pod.schema.ts';

export const listReachableSecretsInput = z.object({ pod: podSchema });
export type ListReachableSecretsInput = z.infer<typeof listReachableSecretsInput>;

export const listReachableSecretsOutput = z.object({
  pod: podSchema,
  /** `system:serviceaccount:shop:cart`; absent if the pod has no token of its account. */
  account: z.string().exactOptional(),
  /** Secrets by name, and the ways in which the pod can get each. Never a value. */
  secrets: z.array(z.object({ secret: z.string(), ways: z.array(z.string()) })),
  /** What the account may do with whole namespaces: `get secrets in shop`, `list secrets in all namespaces`. */
  wide: z.array(z.string()),
  /** Indirect ways: `create pods in shop: a pod of its own can mount any Secret there`. */
  detours: z.array(z.string()),
  /** What was not checked, and why. */
  unknown: z.array(z.string()),
});
export type ListReachableSecretsOutput = z.infer<typeof listReachableSecretsOutput>;
