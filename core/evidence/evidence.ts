/**
 * Kinds of evidence with different retention: what the API server and the process list report, logs, files, packets, memory. Each class of an incident has its
 * own key, so that memory can be destroyed while the logs are still needed.
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
  /** With its version, if the tool is ours. */
  readonly tool: string;
  /** The command line, if a tool was run for it. */
  readonly command?: readonly string[];
  /** What was left out or truncated, in words; absent when complete. */
  readonly partial?: string;
  /** The object in the store, if it is sealed: `sha256` and `bytes` above describe the original, these the sealed object. */
  readonly sealed?: { readonly keyId: string; readonly sha256: string; readonly bytes: number };
}

/** The artefact's object in the store. */
export function storedAs({ sealed, sha256, bytes }: Pick<Artefact, 'sealed' | 'sha256' | 'bytes'>): {
  readonly sha256: string;
  readonly bytes: number;
} {
  return sealed ?? { sha256, bytes };
}

/** Offset between the clock that dated the evidence and another clock (positive: ahead, negative: behind), with its uncertainty. */
export interface ClockOffset {
  readonly against: 'kubernetes-api';
  readonly aheadMs: number;
  readonly withinMs: number;
}

/** What one step collected from one target, signed by the cell's evidence key (Ed25519 over the canonical JSON of the rest). */
export interface EvidenceManifest {
  readonly version: 1;
  readonly incident: string;
  readonly run: string;
  readonly step: string;
  readonly target: { readonly name: string; readonly uid?: string };
  readonly artefacts: readonly Artefact[];
  readonly custody: readonly CustodyEntry[];
  readonly createdAt: string;
  /** Absent if it could not be determined. */
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

/** What the workflow remembers about evidence: the manifest's own address. */
export interface EvidenceRef {
  readonly manifestSha256: string;
  readonly target: { readonly name: string; readonly uid?: string };
  readonly artefacts: readonly Pick<Artefact, 'name' | 'sha256' | 'bytes' | 'partial'>[];
}
