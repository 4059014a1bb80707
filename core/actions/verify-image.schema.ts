import { z } from 'zod';
import { signatureStates } from '../action/image-signature.ts';
import { podSchema } from './pod.schema.ts';

export const verifyImageInput = z.object({
  pod: podSchema,
  container: z
    .string()
    .min(1)
    .exactOptional()
    .meta({ description: 'Only the image of this container. Absent: of all containers of the pod.' }),
});
export type VerifyImageInput = z.infer<typeof verifyImageInput>;

const state = z.enum(signatureStates);

export const verifyImageOutput = z.object({
  pod: podSchema,
  /** The worst of all images: `unsigned` if any image is unsigned, else `unknown` if nothing is known about any of them. */
  signature: state,
  images: z.array(
    z.object({
      container: z.string(),
      image: z.string(),
      digest: z.string().exactOptional(),
      signature: state,
      by: z.array(z.string()).readonly(),
      reason: z.string().exactOptional(),
      attestations: z.array(z.object({ type: z.string(), by: z.string() })).readonly(),
    }),
  ),
});
export type VerifyImageOutput = z.infer<typeof verifyImageOutput>;
