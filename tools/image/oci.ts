import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { FirebreakError } from '../../core/errors.ts';
import { runCommand } from '../../service/parts/command.ts';

/** What runs, and as which user: the `config` of an OCI image, https://github.com/opencontainers/image-spec/blob/main/config.md */
interface ImageConfig {
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
  readonly User?: string;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
}

export interface OneImage {
  readonly architecture: 'amd64' | 'arm64' | (string & {});
  /** Archives (tar), lowest layer first. */
  readonly layers: readonly string[];
  readonly config: ImageConfig;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const indexType = 'application/vnd.oci.image.index.v1+json';

/**
 * Writes an OCI image layout into `folder`: one image, or an index with one per architecture. Its content does not depend on when or where it is made. Returns
 * the image's digest, and the sizes in bytes of its blobs and of its unpacked layers.
 */
export function writeLayout(options: {
  readonly folder: string;
  readonly images: readonly OneImage[];
  /** Names that `ctr images import` assigns to it, given the digest. */
  readonly names: (digest: string) => readonly string[];
  readonly compress?: boolean;
}): { readonly digest: string; readonly size: number; readonly unpacked: number } {
  const { folder, images, names, compress = false } = options;
  const blobs = join(folder, 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  let [size, unpacked] = [0, 0];
  const store = (content: Buffer, mediaType: string): Descriptor => {
    const hash = sha256(content);
    writeFileSync(join(blobs, hash), content);
    size += content.length;
    return { mediaType, digest: `sha256:${hash}`, size: content.length };
  };
  const storeJson = (content: object, mediaType: string) => store(Buffer.from(JSON.stringify(content)), mediaType);
  const layerType = 'application/vnd.oci.image.layer.v1.tar';
  const manifests = images.map(({ architecture, layers, config }) => {
    const stored = layers.map((file) => {
      const content = readFileSync(file);
      unpacked += content.length;
      const packed = compress ? store(gzipSync(content, { level: 6 }), `${layerType}+gzip`) : store(content, layerType);
      return { packed, diffId: `sha256:${sha256(content)}` };
    });
    const rootfs = { type: 'layers', diff_ids: stored.map(({ diffId }) => diffId) };
    const written = storeJson({ architecture, os: 'linux', config, rootfs }, 'application/vnd.oci.image.config.v1+json');
    const layersOf = stored.map(({ packed }) => packed);
    const manifest = storeJson({ schemaVersion: 2, mediaType: manifestType, config: written, layers: layersOf }, manifestType);
    return { ...manifest, platform: { architecture, os: 'linux' } };
  });
  const [only] = manifests;
  const top =
    only !== undefined && manifests.length === 1
      ? { mediaType: only.mediaType, digest: only.digest, size: only.size }
      : storeJson({ schemaVersion: 2, mediaType: indexType, manifests }, indexType);
  const index = {
    schemaVersion: 2,
    mediaType: indexType,
    manifests: names(top.digest).map((name) => ({ ...top, annotations: namesOf(name) })),
  };
  writeFileSync(join(folder, 'index.json'), JSON.stringify(index));
  writeFileSync(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  return { digest: top.digest, size, unpacked };
}

export interface MadeImage {
  /** An OCI image layout as one archive, for `ctr images import` or `skopeo copy oci-archive:…`. */
  readonly file: string;
  /** `NAME:VERSION` */
  readonly name: string;
  readonly digest: string;
  /** Size in bytes of the blobs, as a registry stores them. */
  readonly size: number;
  /** Size in bytes of the layers, as a node stores them. */
  readonly unpacked: number;
}

/** Writes the layout of an image, with its name and its digest, as one archive. `work` is a folder provided by the caller. */
export async function writeImage(options: {
  readonly work: string;
  readonly images: readonly OneImage[];
  /** With a tag. */
  readonly name: string;
  readonly file: string;
  readonly compress: boolean;
}): Promise<MadeImage> {
  const { work, images, name, file, compress } = options;
  const layout = join(work, 'layout');
  const names = (digest: string) => [name, `${name.replace(/:[^:/]*$/, '')}@${digest}`];
  const { digest, size, unpacked } = writeLayout({ folder: layout, images, names, compress });
  await pack(layout, file);
  return { file, name, digest, size, unpacked };
}

/**
 * Packs a folder into an archive, with its content below `prefix` (`app/`), or only the entry `only`; the same content gives the same archive, so that an image
 * keeps its digest. Throws FB_ERR_PLATFORM_START.
 */
export async function pack(folder: string, file: string, prefix = '', only = '.'): Promise<void> {
  const same = ['--format=gnu', '--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
  // Does not rewrite link targets, which are paths in the archive as well.
  const moved = prefix === '' ? [] : [`--transform=flags=rh;s,^\\./,./${prefix},`];
  const { code, stderr } = await runCommand({ command: 'tar', args: [...same, ...moved, '-C', folder, '-cf', file, only] });
  if (code !== 0) throw new FirebreakError('FB_ERR_PLATFORM_START', `tar: ${stderr.trim().slice(-300)}`);
}

function namesOf(name: string): Readonly<Record<string, string>> {
  const tag = /:([\w.-]+)$/.exec(name.replace(/@.*$/, ''))?.[1];
  return { 'io.containerd.image.name': name, ...(tag !== undefined && { 'org.opencontainers.image.ref.name': tag }) };
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
