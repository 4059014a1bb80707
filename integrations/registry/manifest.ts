import { z } from 'zod';
import type { Descriptor, ImageManifest } from '../../core/cluster/image-registry.ts';

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const platform = z.object({ os: z.string().exactOptional(), architecture: z.string().exactOptional() });
const descriptor: z.ZodType<Descriptor> = z.object({
  mediaType: z.string().max(255),
  digest,
  size: z.int().min(0),
  artifactType: z.string().max(255).exactOptional(),
  annotations: z.record(z.string(), z.string()).exactOptional(),
  platform: platform.exactOptional(),
});
const manifest = z.object({
  mediaType: z.string().max(255).default(''),
  artifactType: z.string().max(255).exactOptional(),
  config: descriptor.exactOptional(),
  layers: z.array(descriptor).max(1_000).default([]),
  manifests: z.array(descriptor).max(1_000).exactOptional(),
});

/** The manifest or the index in these bytes; undefined where they are neither. Other digests than SHA-256 are not known. */
export function manifestIn(bytes: Buffer, digestOfBytes: string): ImageManifest | undefined {
  try {
    const parsed = manifest.safeParse(JSON.parse(bytes.toString('utf8')));
    return parsed.success ? { ...parsed.data, digest: digestOfBytes } : undefined;
  } catch {
    return undefined;
  }
}
