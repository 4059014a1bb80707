import { z } from 'zod';
import { longestReason } from '../text/reason.ts';

const text = (max: number) => z.string().min(1).max(max);

/** Of a `SignedReadEvidence`: whoever reaches Temporal can send anything. */
export const signedReadEvidenceSchema = z.strictObject({
  order: z.strictObject({
    version: z.literal(1),
    kind: z.literal('evidence.read'),
    person: text(100),
    at: z.iso.datetime(),
    cluster: text(100),
    incident: text(1_000),
    addresses: z
      .array(z.string().regex(/^[0-9a-f]{64}$/))
      .min(1)
      .max(500),
    reason: text(longestReason),
  }),
  keyId: text(100),
  signature: text(200),
});
