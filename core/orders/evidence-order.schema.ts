import { z } from 'zod';
import { evidenceClasses } from '../evidence/evidence.ts';
import { longestReason } from '../text/reason.ts';

const text = (max: number) => z.string().min(1).max(max);

/** Of a `SignedEvidenceOrder`: whoever reaches Temporal can send anything. */
export const signedEvidenceOrderSchema = z.strictObject({
  order: z.strictObject({
    version: z.literal(1),
    kind: z.enum(['evidence.destroy', 'evidence.hold', 'evidence.unhold']),
    person: text(100),
    at: z.iso.datetime(),
    cluster: text(100),
    incident: text(1_000),
    reason: text(longestReason),
    run: text(100).exactOptional(),
    classes: z.array(z.enum(evidenceClasses)).min(1).max(evidenceClasses.length).exactOptional(),
  }),
  keyId: text(100),
  signature: text(200),
});
