import { z } from 'zod';

export const forensics = z
  .strictObject({
    toolsImage: z
      .string()
      .regex(/^[^\s@]+@sha256:[0-9a-f]{64}$/, { error: 'no image by digest: NAME@sha256:…' })
      .exactOptional()
      .meta({
        description:
          'Image of the tools that are put beside a suspect container, from where the nodes can pull it, by digest: see `deploy/forensics`. Absent: nothing is done inside of containers.',
        examples: [`images.internal/firebreak-tools@sha256:${'0123456789abcdef'.repeat(4)}`],
      }),
  })
  .prefault({});
