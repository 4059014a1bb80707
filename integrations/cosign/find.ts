import type { Descriptor, ImageManifest, ImageRepository } from '../../core/cluster/image-registry.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { FoundMaterial, Material } from './material.ts';
import { materialOfLayer, oldTypes } from './old-format.ts';

/** Type of a bundle, as artifact and as layer; before version 0.3 the version was a parameter. */
const bundleType = 'application/vnd.dev.sigstore.bundle';
/** Type of the old format if it is found through its subject, not by a tag. */
const oldArtifactType = 'application/vnd.dev.cosign.artifact.';
/** Some registries report the type of the configuration, and this is the one of an artifact without a configuration: its actual type is inside. */
const emptyType = 'application/vnd.oci.empty.v1+json';
const mostSignatures = 20;
/** Statements with a whole bill of materials can be large: those above this size are skipped. */
const mostBytes = 2_097_152;

/**
 * Finds everything signed about a digest: the two tags of the old format, and the artifacts that refer to it.
 * @throws FB_ERR_UNAVAILABLE, FB_ERR_REFUSED: it is then unknown what exists.
 */
export async function findMaterial(repository: ImageRepository, digest: string): Promise<FoundMaterial> {
  const tag = digest.replace(':', '-');
  const [signatures, attestations, referrers] = [
    await repository.manifest(`${tag}.sig`),
    await repository.manifest(`${tag}.att`),
    await repository.referrers(digest),
  ];
  const referring = referrers.found.filter(({ artifactType = emptyType }) => artifactType === emptyType || isOurs(artifactType));
  const images: ImageManifest[] = [signatures, attestations].filter((image) => image !== undefined);
  for (const descriptor of referring.slice(0, mostSignatures)) {
    const image = await repository.manifest(descriptor.digest);
    if (image && isOurs(image.artifactType ?? image.config?.mediaType ?? '')) images.push(image);
  }
  const layers = images.flatMap((image) => image.layers);
  const material: Material[] = [];
  for (const layer of layers.slice(0, mostSignatures)) material.push(await materialOf(repository, layer));
  return { material, all: referrers.all && referring.length <= mostSignatures && layers.length <= mostSignatures };
}

function isOurs(artifactType: string): boolean {
  return artifactType.startsWith(bundleType) || artifactType.startsWith(oldArtifactType);
}

async function materialOf(repository: ImageRepository, layer: Descriptor): Promise<Material> {
  const isBundle = layer.mediaType.startsWith(bundleType);
  if (!isBundle && layer.mediaType !== oldTypes.signature && layer.mediaType !== oldTypes.attestation)
    return { kind: 'unreadable', why: `it has the unknown type ${layer.mediaType.slice(0, 100)}` };
  if (layer.size > mostBytes) return { kind: 'unreadable', why: `it is larger than ${mostBytes} bytes` };
  try {
    const content = await repository.blob(layer);
    return isBundle ? { kind: 'bundle', bundle: JSON.parse(content.toString('utf8')) } : materialOfLayer(layer, content);
  } catch (error) {
    if (error instanceof SyntaxError) return { kind: 'unreadable', why: 'its content is not valid JSON' };
    if (error instanceof FirebreakError && error.code !== 'FB_ERR_NOT_FOUND') throw error;
    return { kind: 'unreadable', why: 'the registry lists it, but does not have its content' };
  }
}
