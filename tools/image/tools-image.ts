import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import type { OnProgress } from '../../service/parts/cache.ts';
import { firebreakVersion } from '../../service/process/project-root.ts';
import { goProgram } from '../platform/go-program.ts';
import { forensicTools } from '../platform/nodes/program-image.ts';
import type { Architecture } from './base.ts';
import { checkPrograms } from './elf.ts';
import { type MadeImage, type OneImage, pack, writeImage } from './oci.ts';

/**
 * Makes the image of the tools for suspect containers: two static programs and nothing else, as Docker does with `deploy/forensics/Dockerfile`. No image
 * registry is contacted. The same sources and the same Go give the same digest. Throws FB_ERR_PLATFORM_PART_MISSING.
 */
export async function makeToolsImage(options: {
  readonly folder: string;
  readonly architectures: readonly Architecture[];
  /** Without a tag: `registry.example/firebreak-tools`. */
  readonly repository: string;
  readonly onProgress: OnProgress;
}): Promise<MadeImage> {
  const { folder, architectures, repository, onProgress } = options;
  const version = firebreakVersion();
  mkdirSync(folder, { recursive: true });
  const work = mkdtempSync(join(tmpdir(), 'firebreak-tools-image-'));
  try {
    const images: OneImage[] = [];
    for (const architecture of architectures) {
      const root = join(work, architecture);
      const layer = join(work, `${architecture}.tar`);
      mkdirSync(root);
      for (const [path, module] of Object.entries(forensicTools))
        copyFileSync(await built(path, module, architecture, onProgress), join(root, path));
      await pack(root, layer);
      checkPrograms(architecture, [layer]);
      images.push({ architecture, layers: [layer], config: toolsConfig(version) });
    }
    const file = join(folder, `firebreak-tools-${version}.oci.tar`);
    return await writeImage({ work, images, name: `${repository}:${version}`, file, compress: true });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function built(path: string, module: string, architecture: Architecture, onProgress: OnProgress): Promise<string> {
  const name = basename(path);
  const common = { module, target: '.', linked: {}, pinned: '', architecture };
  const from = await goProgram({ ...common, name: `${name}-${architecture}`, title: `${name} for ${architecture}` }, onProgress);
  if (!from) throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', `Go, to build ${name}`);
  return join(from, basename(module));
}

/** The configuration with which its containers start. */
export function toolsConfig(version: string) {
  return {
    Entrypoint: ['/firebreak-tools'],
    Cmd: ['wait'],
    Labels: {
      'org.opencontainers.image.title': 'firebreak-tools',
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.licenses': 'Apache-2.0',
    },
  };
}
