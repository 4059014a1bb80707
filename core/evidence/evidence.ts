/**
 * What is kept for different times: what the API server and the process list say, logs, files, packets, memory. Each class of an incident has a
 * key of its own, so that memory can be gone when the logs are still needed.
 */
export const evidenceClasses = ['state', 'logs', 'files', 'traffic', 'memory'] as const;
export type EvidenceClass = (typeof evidenceClasses)[number];

/** An artefact with its SHA-256, as the signed manifest lists it. */
export interface Artefact {
  readonly name: string;
  readonly mediaType: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly collectedAt: string;
  /** With its version, where it is ours. */
  readonly tool: string;
  /** What the tool was told, where one was run for it. */
  readonly command?: readonly string[];
  /** Left out or cut, in words; absent when whole. */
  readonly partial?: string;
  /** How it lies in the store, where that is sealed: `sha256` and `bytes` above are of what was taken, these of the sealed object. */
  readonly sealed?: { readonly keyId: string; readonly sha256: string; readonly bytes: number };
}

/** The object in the store. */
export function storedAs({ sealed, sha256, bytes }: Pick<Artefact, 'sealed' | 'sha256' | 'bytes'>): {
  readonly sha256: string;
  readonly bytes: number;
} {
  return sealed ?? { sha256, bytes };
}

/** How the clock that dated what was kept stands to another one: so far ahead of it (negative: behind), give or take. */
export interface ClockOffset {
  readonly against: 'kubernetes-api';
  readonly aheadMs: number;
  readonly withinMs: number;
}

/** What was taken of one target by one step, signed by the cell's evidence key (Ed25519 over the canonical JSON of the rest). */
export interface EvidenceManifest {
  readonly version: 1;
  readonly incident: string;
  readonly run: string;
  readonly step: string;
  readonly target: { readonly name: string; readonly uid?: string };
  readonly artefacts: readonly Artefact[];
  readonly custody: readonly CustodyEntry[];
  readonly createdAt: string;
  /** Absent where it could not be told. */
  readonly clock?: ClockOffset;
  readonly keyId: string;
  readonly signature: string;
}

/** Who handled it, when, and how; each entry holds the digest of the one before. */
export interface CustodyEntry {
  readonly at: string;
  readonly who: string;
  readonly did: string;
  readonly previous: string;
}

/** What the workflow remembers of evidence: the manifest's own address. */
export interface EvidenceRef {
  readonly manifestSha256: string;
  readonly target: { readonly name: string; readonly uid?: string };
  readonly artefacts: readonly Pick<Artefact, 'name' | 'sha256' | 'bytes' | 'partial'>[];
}
