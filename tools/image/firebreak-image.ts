import { chmodSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FirebreakError } from '../../core/errors.ts';
import { serviceEnvironment, serviceNodeFlags } from '../../service/launcher/node-flags.mjs';
import type { OnProgress } from '../../service/parts/cache.ts';
import { runCommand } from '../../service/parts/command.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { type Architecture, account, baseLayer } from './base.ts';
import { checkPrograms } from './elf.ts';
import { modulesLayer, nodeLayer } from './modules.ts';
import { type MadeImage, type OneImage, pack, writeImage } from './oci.ts';
import { copyPages } from './pages.ts';

interface FirebreakImage extends MadeImage {
  /** Debian packages that the image contains parts of, by file name. */
  readonly debianPackages: readonly string[];
}

/** `firebreak`, for running a command in an existing container: the program's own first line needs `env`, which is not in the image. */
const command = `#!/usr/local/bin/node
import('/app/dist/service/cli.js');
`;

/** Where state is kept; the only place that Firebreak writes to, besides /tmp. */
const stateFolder = '/var/lib/firebreak';

/**
 * Makes the image of all roles from the build in `dist`: parts of Debian, Node, the packages of the lock, Firebreak. It runs as non-root with a read-only root
 * filesystem, and has no shell. No image registry is contacted. The same sources and the same Debian packages give the same digest. Throws
 * FB_ERR_PLATFORM_PART_MISSING.
 */
export async function makeFirebreakImage(options: {
  readonly folder: string;
  readonly architectures: readonly Architecture[];
  /** Without a tag: `registry.example/firebreak`. */
  readonly repository: string;
  readonly onProgress: OnProgress;
  /** With today's Debian packages, as in a release. */
  readonly fresh?: boolean;
  readonly compress?: boolean;
  /** The folder with the built program. */
  readonly dist?: string;
}): Promise<FirebreakImage> {
  const { folder, architectures, repository, onProgress, fresh = false, compress = false } = options;
  const { dist = join(projectRoot(), 'dist') } = options;
  const { version }: { version: string } = JSON.parse(readFileSync(join(projectRoot(), 'package.json'), 'utf8'));
  mkdirSync(folder, { recursive: true });
  const work = mkdtempSync(join(tmpdir(), 'firebreak-image-'));
  try {
    const images: OneImage[] = [];
    const debianPackages: string[] = [];
    const ofProgram = await programLayer(work, dist);
    for (const architecture of architectures) {
      const { layers, packages } = await layersOf({ architecture, ofProgram, fresh, onProgress });
      debianPackages.push(...packages);
      images.push({ architecture, layers, config: imageConfig(version) });
    }
    const file = join(folder, `firebreak-${version}.oci.tar`);
    return { ...(await writeImage({ work, images, name: `${repository}:${version}`, file, compress })), debianPackages };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Writes the contents of the image into a folder, for a builder that makes an image of it, as Docker does with `deploy/Dockerfile`. */
export async function makeImageRoot(options: {
  readonly folder: string;
  readonly architecture: Architecture;
  readonly onProgress: OnProgress;
  readonly fresh?: boolean;
}): Promise<void> {
  const { folder, architecture, onProgress, fresh = false } = options;
  mkdirSync(folder, { recursive: true });
  const work = mkdtempSync(join(tmpdir(), 'firebreak-image-'));
  try {
    const ofProgram = await programLayer(work, join(projectRoot(), 'dist'));
    const { layers } = await layersOf({ architecture, ofProgram, fresh, onProgress });
    for (const layer of layers) {
      const { code, stderr } = await runCommand({ command: 'tar', args: ['-xpf', layer, '-C', folder, '--numeric-owner'] });
      if (code !== 0) throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', `${layer}: ${stderr.trim().slice(-200)}`);
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** From the lowest: parts of Debian, Node, the packages of the lock, Firebreak. */
async function layersOf(options: {
  readonly architecture: Architecture;
  readonly ofProgram: string;
  readonly fresh: boolean;
  readonly onProgress: OnProgress;
}): Promise<{ readonly layers: readonly string[]; readonly packages: readonly string[] }> {
  const { architecture, ofProgram, fresh, onProgress } = options;
  const base = await baseLayer({ architecture, fresh, onProgress });
  const layers = [base.file, await nodeLayer(architecture, onProgress), await modulesLayer(architecture, onProgress), ofProgram];
  checkPrograms(architecture, layers);
  return { layers, packages: base.packages };
}

async function programLayer(work: string, dist: string): Promise<string> {
  const file = join(work, 'program.tar');
  program(join(work, 'program'), dist);
  await pack(join(work, 'program'), file);
  return file;
}

/** Writes the files that change with each version, and the folders that volumes are mounted on. */
function program(root: string, dist: string): void {
  const app = join(root, 'app');
  mkdirSync(app, { recursive: true });
  cpSync(dist, join(app, 'dist'), { recursive: true, filter: (from) => !from.endsWith('.d.ts') });
  for (const file of ['package.json', 'LICENSE']) copyFileSync(join(projectRoot(), file), join(app, file));
  copyPages(projectRoot(), app);
  const commands = join(root, 'usr', 'local', 'bin');
  mkdirSync(commands, { recursive: true });
  writeFileSync(join(commands, 'firebreak'), command);
  chmodSync(join(commands, 'firebreak'), 0o755);
  for (const folder of [stateFolder, '/tmp']) mkdirSync(join(root, folder), { recursive: true });
  for (const folder of [stateFolder, '/tmp']) chmodSync(join(root, folder), 0o1777);
}

/** The configuration with which its containers start. */
export function imageConfig(version: string) {
  const environment = { PATH: '/usr/local/bin', NODE_ENV: 'production', FIREBREAK_STATE_DIR: stateFolder, ...serviceEnvironment };
  return {
    Entrypoint: ['/usr/local/bin/node', ...serviceNodeFlags, '/app/dist/service/cli.js'],
    Cmd: ['run'],
    Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    User: `${account}:${account}`,
    WorkingDir: '/app',
    Labels: {
      'org.opencontainers.image.title': 'firebreak',
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.licenses': 'Apache-2.0',
    },
  };
}
