import { z } from 'zod';
import { podSchema } from '../pod.schema.ts';

export const rotateSecretInput = z.object({
  suspect: podSchema.meta({ description: 'The pod that may have read them: it never gets the new value.' }),
  secrets: z.array(z.string().min(1)).optional().meta({
    description: 'Absent: every Secret that the suspect mounts or has in its environment. Needed where the suspect is gone.',
  }),
  revokeFirst: z.boolean().optional().meta({
    description:
      'After a theft that is certain: the old value ends before there is a new one, and its users are refused until they have rolled.',
  }),
});
export type RotateSecretInput = z.infer<typeof rotateSecretInput>;

export const rotateSecretOutput = z.object({
  rotated: z.array(
    z.object({
      secret: z.string(),
      newName: z.string(),
      keys: z.array(z.string()),
      consumers: z.array(z.string()),
      /** Where the old value was invalidated and the new one is valid; absent if no known provider could tell. */
      provider: z.string().optional(),
      /** Who rewrote it under its own name; absent if it has a successor. */
      writer: z.enum(['ExternalSecret', 'Certificate']).optional(),
      /** When the old certificate expires: only its issuer can end it earlier. */
      validUntil: z.string().optional(),
    }),
  ),
  /** Secrets that were not rotated, and why: owned by Helm, GitOps, an operator … */
  refused: z.array(z.object({ secret: z.string(), reason: z.string() })),
  suspect: podSchema,
});
export type RotateSecretOutput = z.infer<typeof rotateSecretOutput>;
