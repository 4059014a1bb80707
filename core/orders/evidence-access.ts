import type { SignedOrder } from './suppression.ts';

/**
 * A person's order to be given evidence out of the store, signed by their own key. It is on the record before any byte is handed out:
 * evidence holds what an attacker and a workload wrote.
 */
export interface ReadEvidence {
  readonly version: 1;
  readonly kind: 'evidence.read';
  readonly person: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly cluster: string;
  /** The incident's id. */
  readonly incident: string;
  /** Addresses (SHA-256) of what is read: a manifest, or single artefacts. */
  readonly addresses: readonly string[];
  readonly reason: string;
}

export type SignedReadEvidence = SignedOrder<ReadEvidence>;
