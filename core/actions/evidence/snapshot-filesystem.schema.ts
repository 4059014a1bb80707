import { z } from 'zod';
import { containerSchema } from '../container.schema.ts';
import { podSchema } from '../pod.schema.ts';
import { snapshotPodStateOutput } from './snapshot-pod-state.schema.ts';

const absolute = z
  .string()
  .max(1_000)
  .regex(/^\/[^\0]*$/, { error: 'not an absolute path' });

export const snapshotFilesystemInput = z.object({
  pod: podSchema,
  container: containerSchema.exactOptional().meta({ description: 'Not needed if the pod runs only one.' }),
  files: z.enum(['changed', 'all']).exactOptional().meta({
    description: '`changed`, the default: what was written since the container’s start, and so is not in the image.',
  }),
  paths: z
    .array(absolute)
    .min(1)
    .max(32)
    .exactOptional()
    .meta({ description: 'Files, and folders with everything in them; absent: from the root.' }),
  volumes: z.array(absolute).min(1).max(32).exactOptional().meta({ description: 'Mount points of volumes that are taken too.' }),
  maxBytes: z
    .int()
    .min(1)
    .max(4_500_000_000)
    .exactOptional()
    .meta({ description: 'Of the files, before they are compressed. Default: 4 GB.' }),
  maxSeconds: z.int().min(1).max(1_500).exactOptional().meta({ description: 'How long files are taken. Default: 600.' }),
});
export type SnapshotFilesystemInput = z.infer<typeof snapshotFilesystemInput>;

export const snapshotFilesystemOutput = snapshotPodStateOutput.extend({
  /** Which run of the container it was. */
  container: z.object({ id: z.string(), name: z.string() }),
  /** Files, folders and links that were taken. */
  entries: z.number(),
});
export type SnapshotFilesystemOutput = z.infer<typeof snapshotFilesystemOutput>;
