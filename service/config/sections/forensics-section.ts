import { z } from 'zod';
import { listen } from '../fields.ts';

const uploads = z.strictObject({
  address: z
    .string()
    .regex(/^https:\/\/([a-z0-9.-]+|\[[0-9a-f:]+\]):[0-9]{1,5}$/, { error: 'not https://HOST:PORT in lowercase' })
    .meta({
      description: 'How pods reach this process, and no other: `https://HOST:PORT`. Not a Service with several pods behind it.',
      examples: ['https://10.20.0.5:9443', 'https://firebreak-forensics.firebreak.svc:9443'],
    }),
  listen: listen(9443).meta({ description: 'Where it listens for uploads.' }),
});

export const forensics = z
  .strictObject({
    toolsImage: z
      .string()
      .regex(/^[^\s@]+@sha256:[0-9a-f]{64}$/, { error: 'not an image by digest: NAME@sha256:…' })
      .exactOptional()
      .meta({
        description:
          'Image, by digest, of the tools that are started next to a suspect container, in a registry from which the nodes can pull: see `deploy/forensics`. Absent: nothing is done inside containers.',
        examples: [`images.internal/firebreak-tools@sha256:${'0123456789abcdef'.repeat(4)}`],
      }),
    streams: z
      .strictObject({
        atATime: z.int().min(1).max(16).default(2).meta({
          description: 'How many snapshots of files or memory are transferred at a time; the others wait for their turn.',
        }),
        bytesPerSecond: z.int().min(1_000_000).default(200_000_000).meta({
          description: 'How fast they and captured traffic may be transferred: all of them together, as they are sent.',
        }),
        processes: z.int().min(1).max(16).default(1).meta({
          description:
            'How many processes of the cluster have the role `forensics`. Each takes its share of both, so `atATime` must not be lower.',
        }),
      })
      .refine(({ atATime, processes }) => atATime >= processes, {
        error: 'fewer than processes: each of them takes at least one',
        path: ['atATime'],
      })
      .prefault({})
      .meta({ description: 'How much evidence is taken out of the cluster at a time.' }),
    uploads: uploads.exactOptional().meta({
      description:
        'Lets the tools send files and memory straight to this process, each to an address that accepts one upload, if their pod can reach it. Absent, and for quarantined pods: all of it goes through the API server.',
    }),
  })
  .prefault({});
