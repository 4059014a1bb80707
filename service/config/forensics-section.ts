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
    streams: z
      .strictObject({
        atATime: z.int().min(1).max(16).default(2).meta({
          description: 'How many snapshots of files or memory are on their way at a time; the others wait for their turn.',
        }),
        bytesPerSecond: z
          .int()
          .min(1_000_000)
          .default(200_000_000)
          .meta({ description: 'How fast they, and captured traffic, may come: all of them together, as they are sent.' }),
      })
      .prefault({})
      .meta({ description: 'How much evidence this process takes out of the cluster at a time.' }),
  })
  .prefault({});
