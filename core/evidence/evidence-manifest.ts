import { genesisHash } from '../audit/audit.ts';
import { canonicalJson, digestOf } from '../text/digest.ts';
import { isObject } from '../text/plain-json.ts';
import type { CustodyEntry, EvidenceManifest, EvidenceRef } from './evidence.ts';
import type { ManifestDraft } from './evidence-store.ts';

type UnsignedManifest = Omit<EvidenceManifest, 'signature'>;

/** The bytes that are signed: everything but the signature. */
export function manifestBytes(manifest: UnsignedManifest): Uint8Array {
  const { version, incident, run, step, target, artefacts, custody, createdAt, clock, keyId } = manifest;
  const signed = { version, incident, run, step, target, artefacts, custody, createdAt, ...(clock && { clock }), keyId };
  return new TextEncoder().encode(`firebreak.evidence-manifest.v1\n${canonicalJson(signed)}`);
}

export function unsignedManifest({ draft, keyId }: { readonly draft: ManifestDraft; readonly keyId: string }): UnsignedManifest {
  const { incident, run, step, target, artefacts, custody, createdAt, clock } = draft;
  const wellFormed = artefacts.map((artefact) => ({
    ...artefact,
    name: artefact.name.toWellFormed(),
    ...(artefact.partial !== undefined && { partial: artefact.partial.toWellFormed() }),
    ...(artefact.command && { command: artefact.command.map((word) => word.toWellFormed()) }),
  }));
  const linked = linkCustody(custody);
  return {
    version: 1,
    ...{ incident, run, step, target, artefacts: wellFormed, custody: linked, createdAt, ...(clock && { clock }), keyId },
  };
}

/** Each entry holds the digest of the one before it (the first one: 64 zeros), so none can be removed or inserted. */
function linkCustody(entries: readonly Omit<CustodyEntry, 'previous'>[]): readonly CustodyEntry[] {
  let previous = genesisHash;
  return entries.map(({ at, who, did }) => {
    const entry = { at, who, did, previous };
    previous = digestOf(entry);
    return entry;
  });
}

export function custodyIsLinked(custody: readonly CustodyEntry[]): boolean {
  return canonicalJson(linkCustody(custody)) === canonicalJson(custody);
}

export function evidenceRef({
  manifest,
  manifestSha256,
}: {
  readonly manifest: EvidenceManifest;
  readonly manifestSha256: string;
}): EvidenceRef {
  const artefacts = manifest.artefacts.map(({ name, sha256, bytes, partial }) => ({
    name,
    sha256,
    bytes,
    ...(partial !== undefined && { partial }),
  }));
  return { manifestSha256, target: manifest.target, artefacts };
}

/** Reads parsed JSON as a manifest; undefined for any other shape. Only the signature shows whether it is genuine. */
export function asManifest(value: unknown): EvidenceManifest | undefined {
  return isManifest(value) ? value : undefined;
}

function isManifest(value: unknown): value is EvidenceManifest {
  return (
    isObject(value) &&
    value.version === 1 &&
    isObject(value.target) &&
    isText(value.target.name) &&
    [value.incident, value.run, value.step, value.createdAt, value.keyId, value.signature].every(isText) &&
    (value.clock === undefined || isClock(value.clock)) &&
    Array.isArray(value.artefacts) &&
    value.artefacts.every(isArtefact) &&
    Array.isArray(value.custody) &&
    value.custody.every((entry) => isObject(entry) && [entry.at, entry.who, entry.did, entry.previous].every(isText))
  );
}

function isArtefact(value: unknown): boolean {
  return (
    isObject(value) &&
    [value.name, value.mediaType, value.sha256, value.collectedAt, value.tool].every(isText) &&
    Number.isSafeInteger(value.bytes) &&
    (value.sealed === undefined || isSealed(value.sealed)) &&
    (value.command === undefined || (Array.isArray(value.command) && value.command.every(isText)))
  );
}

function isClock(value: unknown): boolean {
  return (
    isObject(value) &&
    value.against === 'kubernetes-api' &&
    Number.isSafeInteger(value.aheadMs) &&
    Number.isSafeInteger(value.withinMs)
  );
}

function isSealed(value: unknown): boolean {
  return isObject(value) && [value.keyId, value.sha256].every(isText) && Number.isSafeInteger(value.bytes);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
