import { z } from 'zod';
import { podSchema } from '../pod.schema.ts';

const revocationWays = ['pod', 'legacySecrets', 'account'] as const;

export const revokeTokensInput = z.object({
  pod: podSchema,
  account: z.string().min(1).meta({
    description:
      'The account of the pod: its name, or `system:serviceaccount:NAMESPACE:NAME` as `listReachableSecrets` returns it.',
  }),
  ways: z.array(z.enum(revocationWays)).min(1).meta({
    description:
      '`pod`: deletes the pod, which invalidates its bound token. `legacySecrets`: deletes the token Secrets of its account. `account`: recreates the account, which invalidates every token ever issued for it.',
  }),
});
export type RevokeTokensInput = z.infer<typeof revokeTokensInput>;

export const revokeTokensOutput = z.object({
  pod: podSchema,
  account: z.string(),
  ways: z.array(z.enum(revocationWays)),
  /** uid of the account that tokens are valid for now. */
  accountUid: z.string().exactOptional(),
});
export type RevokeTokensOutput = z.infer<typeof revokeTokensOutput>;
