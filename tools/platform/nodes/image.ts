import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { arch } from 'node:os';
import { dirname, join } from 'node:path';
import { FirebreakError } from '../../../core/errors.ts';
import { runCommand } from '../../../service/parts/command.ts';
import { pack, writeLayout } from '../../image/oci.ts';
import { findBusybox } from './parts.mjs';

export interface LabImage {
  /** `firebreak.local/NAME:lab`. */
  readonly name: string;
  /** The same image by digest: `firebreak.local/NAME@sha256:…`. */
  readonly byDigest: string;
  /** Path of the archive (an OCI image layout), for `ctr images import`. */
  readonly file: string;
}

/**
 * Makes an image from the machine's static busybox with all its applets, and further `files` (path in the image → file here), since no registry is contacted.
 * It sleeps, unless a container has a command of its own.
 */
export async function makeImage(options: {
  readonly name: string;
  readonly folder: string;
  readonly files?: Readonly<Record<string, string>>;
}): Promise<LabImage> {
  const { name, folder, files = {} } = options;
  const work = mkdtempSync(join(folder, 'image-'));
  try {
    const root = join(work, 'root');
    await fillRoot(root, files);
    const layer = join(work, 'layer.tar');
    await pack(root, layer);
    const { digest } = writeLayout({
      folder: join(work, 'image'),
      images: [
        {
          architecture: arch() === 'x64' ? 'amd64' : arch(),
          layers: [layer],
          config: { Cmd: ['/bin/sleep', '1000000'], Env: ['PATH=/bin'], WorkingDir: '/' },
        },
      ],
      names: (of) => [`firebreak.local/${name}:lab`, `firebreak.local/${name}@${of}`],
    });
    const file = join(folder, `${name}.tar`);
    await pack(join(work, 'image'), file);
    return { name: `firebreak.local/${name}:lab`, byDigest: `firebreak.local/${name}@${digest}`, file };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function fillRoot(root: string, files: Readonly<Record<string, string>>): Promise<void> {
  const busybox = findBusybox();
  if (!busybox) throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', 'a static busybox');
  for (const folder of ['bin', 'etc', 'proc', 'sys', 'dev', 'root', 'var']) mkdirSync(join(root, folder), { recursive: true });
  mkdirSync(join(root, 'tmp'));
  chmodSync(join(root, 'tmp'), 0o1777);
  copyFileSync(busybox, join(root, 'bin', 'busybox'));
  const { stdout } = await runCommand({ command: busybox, args: ['--list'] });
  for (const applet of stdout.split('\n')) if (applet && applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet));
  writeFileSync(join(root, 'etc', 'passwd'), 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n');
  writeFileSync(join(root, 'etc', 'group'), 'root:x:0:\nnogroup:x:65534:\n');
  for (const [path, from] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    copyFileSync(from, join(root, path));
  }
}
