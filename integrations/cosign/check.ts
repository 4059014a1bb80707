import type { ImageCheck } from '../../core/action/image-signature.ts';
import type { ImageManifest, ImageRepository } from '../../core/cluster/image-registry.ts';
import { FirebreakError } from '../../core/errors.ts';
import { signatureType } from './claim.ts';
import { findMaterial } from './find.ts';
import type { SignatureTrust } from './trust.ts';
import { type SignatureFinding, verifyMaterial } from './verify.ts';

interface CheckedImage {
  readonly repository: ImageRepository;
  /** The digest that the node reports as running: of a manifest, of an index, or of the image's configuration. */
  readonly running: string;
  /** The pod's reference in this repository: a tag or a digest. */
  readonly asked: string;
  readonly trust: SignatureTrust;
}

type Result = Pick<ImageCheck, 'signature' | 'by' | 'reason' | 'attestations'>;

/** Maximum number of platforms that are checked one by one. */
const mostPlatforms = 20;

/**
 * Checks whether the running image is signed by a trusted signer. A signature of the index covers its platforms; signatures of all platforms cover the index.
 * Never throws because of a registry: the result is then `unknown`.
 */
export async function checkImage(image: CheckedImage): Promise<Result> {
  try {
    return await check(image);
  } catch (error) {
    if (error instanceof FirebreakError) return unknown(error.detail);
    throw error;
  }
}

async function check({ repository, running, asked, trust }: CheckedImage): Promise<Result> {
  const looked = new Look(repository, trust);
  // The node may report the digest of the image's configuration, by which no registry can find it.
  const byDigest = await repository.manifest(running);
  const manifest = byDigest ?? (await ofTag(repository, asked, running));
  if (!manifest) return unknown(`the registry does not have the running image ${running}, or does not show it`);
  const own = await looked.at(manifest.digest);
  if (own.signature === 'signed') return own;
  if (manifest.manifests) return ofPlatforms(looked, manifest, own);
  const index = asked === manifest.digest ? undefined : await repository.manifest(asked);
  if (asked === manifest.digest || index?.digest === manifest.digest) return own;
  if (!index?.manifests?.some(({ digest }) => digest === manifest.digest))
    return own.signature === 'unknown'
      ? own
      : unknown(`it is not signed itself, and ${asked} no longer points to it: the index that it was part of may be signed`);
  const whole = await looked.at(index.digest);
  return whole.signature === 'signed'
    ? { ...whole, reason: 'by the signature of the index that it is part of' }
    : worse(own, whole);
}

/** The image behind a tag, if its configuration has this digest: the image itself, or one of an index. */
async function ofTag(repository: ImageRepository, tag: string, config: string): Promise<ImageManifest | undefined> {
  const found = await repository.manifest(tag);
  if (!found || found.config?.digest === config) return found;
  for (const { digest } of (found.manifests ?? []).slice(0, mostPlatforms)) {
    const one = await repository.manifest(digest);
    if (one?.config?.digest === config) return one;
  }
  return undefined;
}

/** It is not known here which platform runs: each must be signed. */
async function ofPlatforms(looked: Look, index: ImageManifest, own: Result): Promise<Result> {
  const platforms = (index.manifests ?? []).filter(({ platform }) => platform?.os !== 'unknown');
  if (platforms.length === 0) return own;
  if (platforms.length > mostPlatforms)
    return worse(own, unknown('the index is not signed, and has too many platforms to check each one'));
  const all: Result[] = [];
  for (const { digest } of platforms) {
    const one = await looked.at(digest);
    if (one.signature !== 'signed') return worse(own, one);
    all.push(one);
  }
  return {
    signature: 'signed',
    by: [...new Set(all.flatMap(({ by }) => by))],
    reason: 'each of its platforms is signed, but the index is not',
    attestations: own.attestations,
  };
}

/** The worse of two results that are not signed: an unknown one leaves the outcome open. */
function worse(own: Result, other: Result): Result {
  return own.signature === 'unknown' ? own : { ...other, attestations: own.attestations };
}

class Look {
  readonly #repository: ImageRepository;
  readonly #trust: SignatureTrust;

  constructor(repository: ImageRepository, trust: SignatureTrust) {
    this.#repository = repository;
    this.#trust = trust;
  }

  async at(digest: string): Promise<Result> {
    const { material, all } = await findMaterial(this.#repository, digest);
    const findings = material.map((one) => verifyMaterial(one, { digest, trust: this.#trust }));
    const trusted = findings.filter((one) => one.kind === 'trusted');
    const counts = (type: string) => type === signatureType || this.#trust.predicateTypes.includes(type);
    const by = [...new Set(trusted.filter(({ type }) => counts(type)).map((one) => one.by))];
    const attestations = trusted.filter(({ type }) => type !== signatureType).map((one) => ({ type: one.type, by: one.by }));
    if (by.length > 0) return { signature: 'signed', by, attestations };
    const unreadable = findings.find(({ kind }) => kind === 'unreadable');
    if (unreadable) return { ...unknown(`a signature cannot be checked: ${whyOf(unreadable)}`), attestations };
    if (!all)
      return { ...unknown('it has more signatures than are checked, and none of the first ones is trusted'), attestations };
    const rejected = findings.filter(({ kind }) => kind === 'rejected');
    const [first] = rejected;
    const reason = first
      ? `${rejected.length === 1 ? 'its only signature does not count' : `none of its ${rejected.length} signatures counts`}: ${whyOf(first)}`
      : attestations.length > 0
        ? 'there are attestations, but no signature'
        : 'there is no signature';
    return { signature: 'unsigned', by: [], reason, attestations };
  }
}

function whyOf(finding: SignatureFinding): string {
  return finding.kind === 'trusted' ? '' : finding.why;
}

function unknown(reason: string): Result {
  return { signature: 'unknown', by: [], reason, attestations: [] };
}
