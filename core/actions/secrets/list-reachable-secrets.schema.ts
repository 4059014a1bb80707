import { z } from 'zod';
import { podSchema } from '../pod.schema.ts';

export const listReachableSecretsInput = z.object({ pod: podSchema });
export type ListReachableSecretsInput = z.infer<typeof listReachableSecretsInput>;

export const listReachableSecretsOutput = z.object({
  pod: podSchema,
  /** `system:serviceaccount:shop:cart`; absent where no token of it is in the pod. */
  account: z.string().exactOptional(),
  /** Secrets by name, with the ways in which the pod has them. Never a value. */
  secrets: z.array(z.object({ secret: z.string(), ways: z.array(z.string()) })),
  /** What the account may do with whole namespaces: `get secrets in shop`, `list secrets in all namespaces`. */
  wide: z.array(z.string()),
  /** Ways around: `create pods in shop: a pod of its own can mount any Secret there`. */
  detours: z.array(z.string()),
  /** What was not asked, and why. */
  unknown: z.array(z.string()),
});
export type ListReachableSecretsOutput = z.infer<typeof listReachableSecretsOutput>;
