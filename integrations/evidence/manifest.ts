import { canonicalJson } from '../../core/digest.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { EvidenceManifest, EvidenceRef } from '../../core/evidence.ts';
import { asManifest, custodyIsLinked, evidenceRef, manifestBytes, unsignedManifest } from '../../core/evidence-manifest.ts';
import type { EvidenceStore, VerifyManifest, WriteManifest } from '../../core/evidence-store.ts';
import type { SignatureVerifier, Signer } from '../../core/signing.ts';

export interface EvidenceReader {
  readonly store: EvidenceStore;
  /** Trusts the public halves of the cells' evidence keys. */
  readonly verifier: SignatureVerifier;
}

/** Signs a manifest with the cell's evidence key and keeps it beside the artefacts. The same draft makes the same object. */
export function createManifestWriter({
  store,
  signer,
}: {
  readonly store: EvidenceStore;
  readonly signer: Signer;
}): WriteManifest {
  return async (draft) => {
    const unsigned = unsignedManifest({ draft, keyId: signer.keyId });
    const manifest: EvidenceManifest = { ...unsigned, signature: await signer.sign(manifestBytes(unsigned)) };
    const { sha256 } = await store.put(new TextEncoder().encode(canonicalJson(manifest)), 'application/json');
    return evidenceRef({ manifest, manifestSha256: sha256 });
  };
}

/**
 * The manifest at an address, if a trusted key signed it.
 * @throws FB_ERR_NOT_FOUND, FB_ERR_EVIDENCE_DAMAGED, FB_ERR_UNAVAILABLE
 */
export async function readManifest({
  store,
  verifier,
  sha256,
}: EvidenceReader & { readonly sha256: string }): Promise<EvidenceManifest> {
  const manifest = asManifest(parsed(await store.get(sha256)));
  if (!manifest) throw new FirebreakError('FB_ERR_EVIDENCE_DAMAGED', `${sha256} is not a manifest`);
  const { keyId, signature } = manifest;
  if (!verifier.verify({ keyId, bytes: manifestBytes(manifest), signature })) {
    throw new FirebreakError('FB_ERR_EVIDENCE_DAMAGED', `the manifest ${sha256} has no valid signature by a trusted key`);
  }
  if (!custodyIsLinked(manifest.custody)) {
    throw new FirebreakError('FB_ERR_EVIDENCE_DAMAGED', `the custody list of ${sha256} has a gap`);
  }
  return manifest;
}

/** Reads a manifest and every artefact in it back. @throws FB_ERR_UNAVAILABLE when the store does not answer. */
export function createManifestVerifier({ store, verifier }: EvidenceReader): VerifyManifest {
  return async (sha256) => {
    const problems: string[] = [];
    const found = async <Result>(name: string, read: () => Promise<Result>): Promise<Result | undefined> => {
      try {
        return await read();
      } catch (error) {
        if (!isAbsent(error)) throw error;
        problems.push(`${name}: ${error.detail}`);
        return undefined;
      }
    };
    const manifest = await found('manifest', () => readManifest({ store, verifier, sha256 }));
    for (const { name, sha256: address, bytes } of manifest?.artefacts ?? []) {
      const artefact = await found(name, () => store.get(address));
      if (artefact && artefact.byteLength !== bytes) problems.push(`${name}: ${artefact.byteLength} bytes instead of ${bytes}`);
    }
    return problems;
  };
}

/**
 * Whether what an incident remembers of its evidence is really kept: a genuine manifest of that incident, that target and those
 * artefacts, all of them there. For the rule that evidence comes before eradication; hashing everything again is the verifier's.
 * @throws FB_ERR_UNAVAILABLE when the store does not answer.
 */
export function createEvidenceCheck({
  store,
  verifier,
}: EvidenceReader): (ref: EvidenceRef, incident: string) => Promise<boolean> {
  return async (ref, incident) => {
    try {
      const manifest = await readManifest({ store, verifier, sha256: ref.manifestSha256 });
      const remembered = canonicalJson(evidenceRef({ manifest, manifestSha256: ref.manifestSha256 })) === canonicalJson(ref);
      if (manifest.incident !== incident || !remembered) return false;
      const kept = await Promise.all(manifest.artefacts.map(({ sha256 }) => store.has(sha256)));
      return kept.length > 0 && kept.every(Boolean);
    } catch (error) {
      if (isAbsent(error)) return false;
      throw error;
    }
  };
}

function isAbsent(error: unknown): error is FirebreakError {
  return error instanceof FirebreakError && (error.code === 'FB_ERR_NOT_FOUND' || error.code === 'FB_ERR_EVIDENCE_DAMAGED');
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
