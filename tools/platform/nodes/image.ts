import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { arch } from 'node:os';
import { dirname, join } from 'node:path';
import { FirebreakError } from '../../../core/errors.ts';
import { runCommand } from '../../../service/parts/command.ts';
import { findBusybox } from './parts.mjs';

export interface LabImage {
  /** `firebreak.local/NAME:lab`. */
  readonly name: string;
  /** `firebreak.local/NAME@sha256:…`: the same image. */
  readonly byDigest: string;
  /** Path of the archive (an OCI image layout), for `ctr images import`. */
  readonly file: string;
}

/**
 * Makes an image of the machine's static busybox, all its applets, and further `files` (path in the image → file here),
 * since no registry is asked. It sleeps, unless a container has a command of its own.
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
    const blobs = join(work, 'image', 'blobs', 'sha256');
    mkdirSync(blobs, { recursive: true });
    const store = (content: Buffer, mediaType: string) => {
      const hash = createHash('sha256').update(content).digest('hex');
      writeFileSync(join(blobs, hash), content);
      return { mediaType, digest: `sha256:${hash}`, size: content.length };
    };
    const storeJson = (content: object, mediaType: string) => store(Buffer.from(JSON.stringify(content)), mediaType);
    const packed = store(readFileSync(layer), 'application/vnd.oci.image.layer.v1.tar');
    const architecture = arch() === 'x64' ? 'amd64' : arch();
    const config = storeJson(
      {
        architecture,
        os: 'linux',
        config: { Cmd: ['/bin/sleep', '1000000'], Env: ['PATH=/bin'], WorkingDir: '/' },
        rootfs: { type: 'layers', diff_ids: [packed.digest] },
      },
      'application/vnd.oci.image.config.v1+json',
    );
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    const manifest = storeJson({ schemaVersion: 2, mediaType, config, layers: [packed] }, mediaType);
    const names = [`firebreak.local/${name}:lab`, `firebreak.local/${name}@${manifest.digest}`] as const;
    const index = {
      schemaVersion: 2,
      manifests: names.map((one) => ({ ...manifest, annotations: { 'io.containerd.image.name': one } })),
    };
    writeFileSync(join(work, 'image', 'index.json'), JSON.stringify(index));
    writeFileSync(join(work, 'image', 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    const file = join(folder, `${name}.tar`);
    await pack(join(work, 'image'), file);
    return { name: names[0], byDigest: names[1], file };
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

/** The same content is the same archive, so that an image keeps its digest. */
async function pack(folder: string, file: string): Promise<void> {
  const same = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
  const { code, stderr } = await runCommand({ command: 'tar', args: [...same, '-C', folder, '-cf', file, '.'] });
  if (code !== 0) throw new FirebreakError('FB_ERR_PLATFORM_START', `tar: ${stderr.trim().slice(-300)}`);
}
