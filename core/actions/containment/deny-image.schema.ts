import { z } from 'zod';

export const denyImageInput = z.object({
  images: z
    .array(z.string().regex(/^[\w./:@-]{1,500}$/, { error: 'not an image reference' }))
    .min(1)
    .max(32)
    .meta({
      description:
        'References as they are written in pods: `shop/cart:1.4`, with the digest that runs where it is known: `shop/cart:1.4@sha256:…`.',
    }),
  namespace: z.string().min(1).exactOptional().meta({ description: 'Absent: everywhere except in protected namespaces.' }),
});
export type DenyImageInput = z.infer<typeof denyImageInput>;

export const denyImageOutput = z.object({ images: z.array(z.string()), policy: z.string() });
export type DenyImageOutput = z.infer<typeof denyImageOutput>;
