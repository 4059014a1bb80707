import type { Artefact, ClockOffset, CustodyEntry, EvidenceClass, EvidenceManifest, EvidenceRef } from './evidence.ts';

/** Bytes at once, or as they come: a stream is never held in memory. */
export type EvidenceBytes = Uint8Array | AsyncIterable<Uint8Array>;

/** Where artefacts are kept, named by their SHA-256 in lower-case hex. Putting the same bytes twice is one object. */
export interface EvidenceStore {
  /** Durable when it resolves. `kind` says how long the store is to keep it from everybody, where it can. @throws FB_ERR_UNAVAILABLE when the store does not take it. */
  put(data: EvidenceBytes, mediaType: string, kind?: EvidenceClass): Promise<{ readonly sha256: string; readonly bytes: number }>;
  /** @throws FB_ERR_NOT_FOUND when there is none, FB_ERR_EVIDENCE_DAMAGED when the bytes read are not those of the name. */
  get(sha256: string): Promise<Uint8Array>;
  /** The same as it comes, for what may be large: that the bytes are right is known at the end only, where it throws otherwise. */
  read(sha256: string): AsyncIterable<Uint8Array>;
  has(sha256: string): Promise<boolean>;
  /** Takes away what processes that died before have left of artefacts that were not whole yet; how many. @throws FB_ERR_UNAVAILABLE */
  sweep(before: Date): Promise<number>;
}

/** A manifest before it is signed: custody entries get their links when it is written. */
export interface ManifestDraft {
  readonly incident: string;
  readonly run: string;
  readonly step: string;
  readonly target: EvidenceManifest['target'];
  readonly artefacts: readonly Artefact[];
  readonly custody: readonly Omit<CustodyEntry, 'previous'>[];
  /** ISO 8601, UTC. Give the step's own time, not the clock's: the same draft must make the same manifest. */
  readonly createdAt: string;
  readonly clock?: ClockOffset;
}

/** Signs manifests with the cell's evidence key and keeps them beside the artefacts that they list. */
export type WriteManifest = (draft: ManifestDraft) => Promise<EvidenceRef>;

/** Which manifests there are of an incident, for when Temporal no longer knows it. */
export interface ManifestIndex {
  add(manifest: { readonly incident: string; readonly manifestSha256: string }): Promise<void>;
  of(incident: string): Promise<readonly string[]>;
}

/** Reads manifest and artefacts back: hashes, signature, custody. Answers what is wrong, in words; nothing when all is well. */
export type VerifyManifest = (manifestSha256: string) => Promise<readonly string[]>;
