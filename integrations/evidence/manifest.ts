import { createHash } from 'node:crypto';
import { FirebreakError, hasCode } from '../../core/errors.ts';
import { type Artefact, type EvidenceManifest, type EvidenceRef, storedAs } from '../../core/evidence/evidence.ts';
import {
  asManifest,
  custodyIsLinked,
  evidenceRef,
  manifestBytes,
  unsignedManifest,
} from '../../core/evidence/evidence-manifest.ts';
import type { EvidenceStore, ManifestIndex, VerifyManifest, WriteManifest } from '../../core/evidence/evidence-store.ts';
import type { IncidentKeys } from '../../core/evidence/incident-key.ts';
import type { SignatureVerifier, Signer } from '../../core/messages/signing.ts';
import { canonicalJson } from '../../core/text/digest.ts';
import { openStream } from './sealed-stream.ts';

interface ManifestReader {
  readonly store: EvidenceStore;
  /** Trusts the public halves of the cells' evidence keys. A function if they have to be fetched. */
  readonly verifier: SignatureVerifier | (() => Promise<SignatureVerifier>);
}

/** Signs a manifest with the cell's evidence key and stores it next to the artefacts. The same draft produces the same object. */
export function createManifestWriter({
  store,
  signer: given,
  index,
}: {
  readonly store: EvidenceStore;
  readonly index?: ManifestIndex;
  readonly signer: Signer | (() => Promise<Signer>);
}): WriteManifest {
  return async (draft) => {
    const signer = typeof given === 'function' ? await given() : given;
    const unsigned = unsignedManifest({ draft, keyId: signer.keyId });
    const manifest: EvidenceManifest = { ...unsigned, signature: await signer.sign(manifestBytes(unsigned)) };
    const { sha256 } = await store.put(new TextEncoder().encode(canonicalJson(manifest)), 'application/json');
    await index?.add({ incident: manifest.incident, manifestSha256: sha256 });
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
}: ManifestReader & { readonly sha256: string }): Promise<EvidenceManifest> {
  const manifest = asManifest(parsed(await store.get(sha256)));
  if (!manifest) throw new FirebreakError('FB_ERR_EVIDENCE_DAMAGED', `${sha256} is not a manifest`);
  const { keyId, signature } = manifest;
  const trusted = typeof verifier === 'function' ? await verifier() : verifier;
  if (!trusted.verify({ keyId, bytes: manifestBytes(manifest), signature })) {
    throw new FirebreakError('FB_ERR_EVIDENCE_DAMAGED', `the manifest ${sha256} has no valid signature by a trusted key`);
  }
  if (!custodyIsLinked(manifest.custody)) {
    throw new FirebreakError('FB_ERR_EVIDENCE_DAMAGED', `the custody list of ${sha256} has a gap`);
  }
  return manifest;
}

/**
 * The artefact as it was before sealing, in constant memory. Hashes are verified only at the end.
 * @throws FB_ERR_NOT_FOUND when the incident's key was destroyed, FB_ERR_SEAL_BROKEN, FB_ERR_EVIDENCE_DAMAGED, FB_ERR_UNAVAILABLE
 */
export async function* readArtefact(
  { store, keys }: { readonly store: EvidenceStore; readonly keys: Pick<IncidentKeys, 'open'> },
  artefact: Artefact,
): AsyncGenerator<Uint8Array> {
  const { name, sealed, sha256, bytes } = artefact;
  if (!sealed) return yield* store.read(sha256);
  const { key } = await keys.open(sealed.keyId);
  const hash = createHash('sha256');
  let size = 0;
  for await (const part of openStream(store.read(sealed.sha256), key)) {
    hash.update(part);
    size += part.byteLength;
    yield part;
  }
  if (size !== bytes || hash.digest('hex') !== sha256)
    throw new FirebreakError('FB_ERR_EVIDENCE_DAMAGED', `${name} was sealed with contents that differ from the manifest`);
}

/**
 * Reads back a manifest and every artefact in it; with `keys`, sealed artefacts are opened and hashed too.
 * @throws FB_ERR_UNAVAILABLE if the store does not answer.
 */
export function createManifestVerifier({
  store,
  verifier,
  keys,
}: ManifestReader & { readonly keys?: Pick<IncidentKeys, 'open'> }): VerifyManifest {
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
    for (const artefact of manifest?.artefacts ?? []) {
      const { sha256: address, bytes } = artefact.sealed && !keys ? artefact.sealed : artefact;
      const size = await found(artefact.name, async () =>
        sizeOf(artefact.sealed && keys ? readArtefact({ store, keys }, artefact) : store.read(address)),
      );
      if (size !== undefined && size !== bytes) problems.push(`${artefact.name}: ${size} bytes instead of ${bytes}`);
    }
    return problems;
  };
}

/**
 * Whether the evidence that an incident remembers is really kept: a genuine manifest of that incident, that target and those artefacts, all of them present.
 * For the rule that evidence comes before eradication; hashing everything again is left to the verifier.
 * @throws FB_ERR_UNAVAILABLE if the store does not answer.
 */
export function createEvidenceCheck({
  store,
  verifier,
}: ManifestReader): (ref: EvidenceRef, incident: string) => Promise<boolean> {
  return async (ref, incident) => {
    try {
      const manifest = await readManifest({ store, verifier, sha256: ref.manifestSha256 });
      const remembered = canonicalJson(evidenceRef({ manifest, manifestSha256: ref.manifestSha256 })) === canonicalJson(ref);
      if (manifest.incident !== incident || !remembered) return false;
      const kept = await Promise.all(manifest.artefacts.map((artefact) => store.has(storedAs(artefact).sha256)));
      return kept.length > 0 && kept.every(Boolean);
    } catch (error) {
      if (isAbsent(error)) return false;
      throw error;
    }
  };
}

function isAbsent(error: unknown): error is FirebreakError {
  return hasCode(error, 'FB_ERR_NOT_FOUND', 'FB_ERR_EVIDENCE_DAMAGED', 'FB_ERR_SEAL_BROKEN');
}

async function sizeOf(data: AsyncIterable<Uint8Array>): Promise<number> {
  let size = 0;
  for await (const part of data) size += part.byteLength;
  return size;
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
