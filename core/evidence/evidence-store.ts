import type { Artefact, ClockOffset, CustodyEntry, EvidenceClass, EvidenceManifest, EvidenceRef } from './evidence.ts';

/** Bytes in one piece or as a stream. A stream is never held in memory as a whole. */
export type EvidenceBytes = Uint8Array | AsyncIterable<Uint8Array>;

/** Where artefacts are kept, named by their SHA-256 in lower-case hex. Storing the same bytes twice yields one object. */
export interface EvidenceStore {
  /**
   * Durable when it resolves. `kind` determines how long the store protects it from everybody, if it can. @throws FB_ERR_UNAVAILABLE when the store does not
   * accept it.
   */
  put(data: EvidenceBytes, mediaType: string, kind?: EvidenceClass): Promise<{ readonly sha256: string; readonly bytes: number }>;
  /** @throws FB_ERR_NOT_FOUND when there is none, FB_ERR_EVIDENCE_DAMAGED when the bytes do not match the name. */
  get(sha256: string): Promise<Uint8Array>;
  /** The same as a stream, for large artefacts: the bytes are verified only at the end, and it throws there if they are damaged. */
  read(sha256: string): AsyncIterable<Uint8Array>;
  has(sha256: string): Promise<boolean>;
  /** Removes incomplete artefacts that crashed processes left behind; returns how many. @throws FB_ERR_UNAVAILABLE */
  sweep(before: Date): Promise<number>;
}

/** A manifest before it is signed: custody entries are linked when it is written. */
export interface ManifestDraft {
  readonly incident: string;
  readonly run: string;
  readonly step: string;
  readonly target: EvidenceManifest['target'];
  readonly artefacts: readonly Artefact[];
  readonly custody: readonly Omit<CustodyEntry, 'previous'>[];
  /** ISO 8601, UTC. Use the step's own time, not the current time: the same draft must produce the same manifest. */
  readonly createdAt: string;
  readonly clock?: ClockOffset;
}

/** Signs manifests with the cell's evidence key and stores them next to the artefacts that they list. */
export type WriteManifest = (draft: ManifestDraft) => Promise<EvidenceRef>;

/** The manifests of each incident, for when Temporal no longer knows the incident. */
export interface ManifestIndex {
  add(manifest: { readonly incident: string; readonly manifestSha256: string }): Promise<void>;
  of(incident: string): Promise<readonly string[]>;
}

/** Reads back a manifest and its artefacts and checks hashes, signature and custody. Returns the problems in words; empty when all is well. */
export type VerifyManifest = (manifestSha256: string) => Promise<readonly string[]>;
