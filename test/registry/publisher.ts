import { createHash } from 'node:crypto';

export interface Published {
  readonly digest: string;
  readonly size: number;
  readonly mediaType: string;
}

const ociImage = 'application/vnd.oci.image.manifest.v1+json';
const ociIndex = 'application/vnd.oci.image.index.v1+json';

export function sha256(bytes: Buffer | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Pushes to one repository of a registry, according to the distribution specification. `reference` of a manifest: a tag, or its digest. */
export class Publisher {
  readonly #base: string;

  constructor(host: string, repository: string) {
    this.#base = `http://${host}/v2/${repository}`;
  }

  async blob(mediaType: string, content: Buffer): Promise<Published> {
    const digest = sha256(content);
    const started = await fetch(`${this.#base}/blobs/uploads/`, { method: 'POST' });
    const place = new URL(started.headers.get('location') ?? '', this.#base);
    place.searchParams.set('digest', digest);
    await this.#put(place.href, 'application/octet-stream', content);
    return { digest, size: content.length, mediaType };
  }

  async manifest(content: { readonly mediaType: string }, tag?: string): Promise<Published> {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, ...content }));
    const digest = sha256(bytes);
    await this.#put(`${this.#base}/manifests/${tag ?? digest}`, content.mediaType, bytes);
    return { digest, size: bytes.length, mediaType: content.mediaType };
  }

  /** Copies what another client has pushed elsewhere, byte for byte. */
  async copy({
    manifests,
    blobs,
  }: {
    readonly manifests: readonly { readonly reference: string; readonly text: string }[];
    readonly blobs: readonly string[];
  }): Promise<void> {
    for (const content of blobs) await this.blob('', Buffer.from(content, 'base64'));
    for (const { reference, text } of manifests)
      await this.#put(`${this.#base}/manifests/${reference}`, JSON.parse(text).mediaType, Buffer.from(text));
  }

  /** Pushes an image with one layer. */
  async image(what: string, tag?: string): Promise<Published & { readonly config: string }> {
    const config = await this.blob(
      'application/vnd.oci.image.config.v1+json',
      Buffer.from(JSON.stringify({ os: 'linux', what })),
    );
    const layer = await this.blob('application/vnd.oci.image.layer.v1.tar', Buffer.from(what));
    const made = await this.manifest({ mediaType: ociImage, ...{ config, layers: [layer] } }, tag);
    return { ...made, config: config.digest };
  }

  async index(images: readonly Published[], tag?: string): Promise<Published> {
    const manifests = images.map(({ digest, size, mediaType }, at) => ({
      ...{ digest, size, mediaType },
      platform: { os: 'linux', architecture: at === 0 ? 'amd64' : 'arm64' },
    }));
    return this.manifest({ mediaType: ociIndex, ...{ manifests } }, tag);
  }

  /** As cosign up to version 2: layers with annotations under a tag. */
  async oldSignature(
    about: string,
    layers: readonly { readonly mediaType: string; readonly content: Buffer; readonly annotations: Record<string, string> }[],
    suffix: 'sig' | 'att' = 'sig',
  ): Promise<void> {
    const pushed = [];
    for (const { mediaType, content, annotations } of layers)
      pushed.push({ ...(await this.blob(mediaType, content)), annotations });
    const config = await this.blob('application/vnd.oci.image.config.v1+json', Buffer.from('{}'));
    await this.manifest({ mediaType: ociImage, ...{ config, layers: pushed } }, `${about.replace(':', '-')}.${suffix}`);
  }

  /** As cosign from version 3 on: a manifest with a bundle as its layer, which refers to its subject. */
  async bundle(about: Published, bundle: object, known: { readonly referrers: boolean }): Promise<void> {
    const type = 'application/vnd.dev.sigstore.bundle.v0.3+json';
    const layer = await this.blob(type, Buffer.from(JSON.stringify(bundle)));
    const config = await this.blob('application/vnd.oci.empty.v1+json', Buffer.from('{}'));
    const subject = { digest: about.digest, size: about.size, mediaType: about.mediaType };
    const content = {
      mediaType: ociImage,
      artifactType: type,
      config,
      layers: [layer],
      subject,
    };
    const made = await this.manifest(content);
    // For a registry without the referrers API, the client keeps the list under a tag.
    if (!known.referrers)
      await this.manifest(
        { mediaType: ociIndex, ...{ manifests: [{ ...made, artifactType: type }] } },
        about.digest.replace(':', '-'),
      );
  }

  async #put(url: string, type: string, content: Buffer): Promise<void> {
    const body = new Uint8Array(content);
    const answer = await fetch(url, { method: 'PUT', headers: { 'content-type': type }, body });
    if (answer.status !== 201) throw new Error(`the registry answered ${answer.status}: ${await answer.text()}`);
  }
}
