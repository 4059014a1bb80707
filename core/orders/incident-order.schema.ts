import { z } from 'zod';
import { severities } from '../alert/severity.ts';
import { longestReason } from '../text/reason.ts';
import { wishes } from './incident-order.ts';

const text = (max: number) => z.string().min(1).max(max);
const time = z.iso.datetime();

/** Of a `SignedIncidentOrder`: whoever reaches Temporal can send anything. */
export const signedIncidentOrderSchema = z.strictObject({
  order: z.strictObject({
    version: z.literal(1),
    kind: z.literal('incident.start'),
    person: text(100),
    at: time,
    terms: z.strictObject({
      version: z.literal(1),
      id: z.string().regex(/^[0-9a-f]{16}$/),
      cluster: text(100),
      wish: z.enum(wishes),
      pod: z.strictObject({ namespace: text(63), name: text(253) }),
      severity: z.enum(severities),
      reason: text(longestReason),
      link: z
        .url({ protocol: /^https?$/ })
        .max(500)
        .exactOptional(),
    }),
    via: z.literal('slack').exactOptional(),
  }),
  keyId: text(100),
  signature: text(200),
});
