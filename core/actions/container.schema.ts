import { z } from 'zod';

/** A container as the alert names it: `alert.container` unchanged. The id counts; without one, the run that is there now. */
export const containerSchema = z.object({
  id: z
    .string()
    .regex(/^([a-z-]+:\/\/)?[0-9a-f]{12,64}$/)
    .exactOptional()
    .meta({ description: 'With or without the prefix `containerd://`; its first 12 digits are enough.' }),
  name: z.string().min(1).exactOptional(),
  image: z.string().exactOptional(),
  digest: z.string().exactOptional(),
});
