import { z } from 'zod';
import { severities } from '../alert/severity.ts';
import { longestReason } from '../text/reason.ts';

const text = (max: number) => z.string().min(1).max(max);
const time = z.iso.datetime();

const terms = z.strictObject({
  version: z.literal(1),
  id: z.string().regex(/^[0-9a-f]{16}$/),
  cluster: text(100),
  match: z.strictObject({
    rule: text(300),
    workload: z.strictObject({ namespace: text(63), kind: text(63), name: text(253) }),
    digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
    sensor: text(63).exactOptional(),
    exe: text(1_000).exactOptional(),
  }),
  upTo: z.enum(severities),
  owner: text(100),
  reason: text(longestReason),
  from: time,
  until: time,
});

const signed = { keyId: text(100), signature: text(200) };

/** Of a `SignedProposal`: whoever reaches Temporal can send anything. */
export const signedProposalSchema = z.strictObject({
  order: z.strictObject({
    version: z.literal(1),
    kind: z.literal('suppression.propose'),
    person: text(100),
    at: time,
    terms,
    via: z.literal('slack').exactOptional(),
    actors: z.array(text(100)).max(1_000).exactOptional(),
  }),
  ...signed,
});

/** Of a `SignedEnd`. */
export const signedEndSchema = z.strictObject({
  order: z.strictObject({
    version: z.literal(1),
    kind: z.literal('suppression.end'),
    person: text(100),
    at: time,
    cluster: text(100),
    suppression: z.string().regex(/^[0-9a-f]{16}$/),
    reason: text(longestReason),
    via: z.literal('slack').exactOptional(),
  }),
  ...signed,
});
