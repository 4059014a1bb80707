/** A reference to one other object in an OCI manifest. https://github.com/opencontainers/image-spec/blob/main/descriptor.md */
export interface Descriptor {
  readonly mediaType: string;
  /** `sha256:…` */
  readonly digest: string;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: { readonly os?: string; readonly architecture?: string };
}

/** An image or an index of images, with the digest of its bytes as they were read. */
export interface ImageManifest {
  readonly digest: string;
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly config?: Descriptor;
  readonly layers: readonly Descriptor[];
  /** For an index: the images of all platforms. */
  readonly manifests?: readonly Descriptor[];
}

/** Read access to one repository of a registry. Everything it returns was checked against its digest. */
export interface ImageRepository {
  /** Returns a manifest by `sha256:…` or by tag; undefined if there is none. @throws FB_ERR_UNAVAILABLE, FB_ERR_REFUSED */
  manifest(reference: string): Promise<ImageManifest | undefined>;
  /** @throws FB_ERR_UNAVAILABLE, FB_ERR_REFUSED; FB_ERR_NOT_FOUND */
  blob(descriptor: Descriptor): Promise<Buffer>;
  /** Returns what refers to this digest. `all` is false if the registry has more than is read. @throws as `manifest` */
  referrers(digest: string): Promise<{ readonly found: readonly Descriptor[]; readonly all: boolean }>;
}
