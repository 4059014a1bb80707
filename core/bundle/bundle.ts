import type { Order } from '../orders/order.ts';
import type { RemoveContent } from '../orders/record-hold.ts';

/** The file in which an incident leaves the house, as specified in `docs/spec/bundle.md`. */
export interface Bundle {
  readonly format: 'firebreak.bundle.v1';
  readonly content: BundleContent;
  readonly export: BundleExport;
}

export interface BundleContent {
  /** `incident/CLUSTER/…@RUN`. */
  readonly chain: string;
  /** The program that made it. */
  readonly madeBy: string;
  /** By place, from 1. */
  readonly records: readonly BundleRow[];
  /** Orders that removed the content of records: each with two orders of different people. */
  readonly removals: readonly BundleRemoval[];
  readonly checkpoints: readonly BundleCheckpoint[];
  readonly evidence: readonly BundleManifest[];
  readonly artefacts: readonly BundleArtefact[];
  readonly keys: readonly BundleKey[];
  /** Names of people, by their ids: for readers only. They prove nothing. */
  readonly names: Readonly<Record<string, string>>;
}

export interface BundleRow {
  readonly record: {
    readonly chain: string;
    readonly number: number;
    readonly at: string;
    readonly kind: string;
    /** SHA-256 of the canonical JSON of `said`. */
    readonly content: string;
  };
  /** Null if it was removed by order. `salt`: 32 hex digits that only the maker can make. */
  readonly said: { readonly actor: string; readonly body: Readonly<Record<string, unknown>>; readonly salt: string } | null;
  readonly keyId: string;
  /** The link of the previous record that its maker signed; 64 zeros if it vouches for none. */
  readonly follows: string;
  readonly signature: string;
  readonly hash: string;
}

export interface BundleRemoval {
  readonly order: Omit<RemoveContent, 'via'>;
  readonly keyId: string;
  readonly signature: string;
}

/** A checkpoint without the heads of other chains, and the proof that it vouches for one head of this chain. */
export interface BundleCheckpoint {
  readonly header: {
    readonly version: 1;
    readonly number: number;
    readonly at: string;
    readonly previous: string;
    readonly moved: string;
    readonly movedCount: number;
    readonly chains: number;
    readonly allHeads: string;
  };
  readonly keyId: string;
  readonly signature: string;
  readonly proof: {
    readonly tree: 'moved' | 'all';
    readonly head: { readonly chain: string; readonly number: number; readonly hash: string };
    readonly index: number;
    readonly path: readonly string[];
  };
}

export interface BundleManifest {
  /** Its address. */
  readonly sha256: string;
  readonly manifest: Readonly<Record<string, unknown>>;
}

export interface BundleArtefact {
  readonly sha256: string;
  /** Base64 of the bytes as they were captured. */
  readonly data: string;
}

export interface BundleKey {
  /** `cell/CLUSTER`, `desk`, `notary`, `evidence` or `person/ID`. */
  readonly of: string;
  /** The public key, base64 of its SPKI in DER. */
  readonly spki: string;
}

/** The order of the person who exports: it contains the digest of the content, so its signature covers the bundle. */
export interface BundleExport {
  readonly order: ExportOrder;
  readonly keyId: string;
  readonly signature: string;
}

/** A person's order to export an incident. It is on record before the file is written. */
export interface ExportOrder extends Omit<Order, 'via'> {
  readonly kind: 'incident.export';
  readonly cluster: string;
  readonly incident: string;
  readonly run: string;
  /** SHA-256 over the canonical JSON of the content. */
  readonly bundle: string;
  /** SHA-256 of the artefacts in it. */
  readonly artefacts: readonly string[];
  readonly reason: string;
}

/** A key that was received at another time, by another way than the bundle. */
export interface KeyFingerprint {
  readonly of: string;
  /** SHA-256 of the SPKI, lower-case hex. */
  readonly fingerprint: string;
}
