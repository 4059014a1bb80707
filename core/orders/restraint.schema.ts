import { z } from 'zod';
import { longestReason } from '../text/reason.ts';
import { restraintModes } from './restraint.ts';

const text = (max: number) => z.string().min(1).max(max);
const time = z.iso.datetime();
const id = z.string().regex(/^[0-9a-f]{16}$/);
const signed = { keyId: text(100), signature: text(200) };

/** Of a `SignedRestraint`: whoever reaches Temporal can send anything. */
export const signedRestraintSchema = z.strictObject({
  order: z.strictObject({
    version: z.literal(1),
    kind: z.literal('restraint.propose'),
    person: text(100),
    at: time,
    terms: z.strictObject({
      version: z.literal(1),
      id,
      cluster: text(100),
      mode: z.enum(restraintModes),
      scope: z.discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('cluster') }),
        z.strictObject({ kind: z.literal('namespace'), name: text(63) }),
        z.strictObject({ kind: z.literal('playbook'), name: text(100) }),
        z.strictObject({ kind: z.literal('incident'), name: text(500) }),
      ]),
      owner: text(100),
      reason: text(longestReason),
      from: time,
      until: time,
    }),
    via: z.literal('slack').exactOptional(),
  }),
  ...signed,
});

/** Of a `SignedRestraintEnd`. */
export const signedRestraintEndSchema = z.strictObject({
  order: z.strictObject({
    version: z.literal(1),
    kind: z.literal('restraint.end'),
    person: text(100),
    at: time,
    cluster: text(100),
    restraint: id,
    reason: text(longestReason),
    via: z.literal('slack').exactOptional(),
  }),
  ...signed,
  idToken: text(20_000).exactOptional(),
});
