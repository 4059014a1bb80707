import { z } from 'zod';

export const denyImageInput = z.object({
  /** References as they are written in pods: `shop/cart:1.4`, with the digest that runs where it is known: `shop/cart:1.4@sha256:…`. */
  images: z
    .array(z.string().regex(/^[\w./:@-]{1,500}$/, { error: 'not a reference of an image' }))
    .min(1)
    .max(32),
  /** Absent: everywhere but in protected namespaces. */
  namespace: z.string().min(1).exactOptional(),
});
export type DenyImageInput = z.infer<typeof denyImageInput>;

export const denyImageOutput = z.object({ images: z.array(z.string()), policy: z.string() });
export type DenyImageOutput = z.infer<typeof denyImageOutput>;
