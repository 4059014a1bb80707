import { z } from 'zod';

const serviceAccount = z.object({ namespace: z.string().min(1), name: z.string().min(1) });

export const revokeServiceAccountInput = z.object({ serviceAccount });
export type RevokeServiceAccountInput = z.infer<typeof revokeServiceAccountInput>;

export const revokeServiceAccountOutput = z.object({
  serviceAccount,
  /** The bindings it was removed from: `rolebinding/namespace/name`, `clusterrolebinding/name`. */
  bindings: z.array(z.string()),
});
export type RevokeServiceAccountOutput = z.infer<typeof revokeServiceAccountOutput>;
