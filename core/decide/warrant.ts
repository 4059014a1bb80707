import type { Severity } from '../alert/severity.ts';
import type { IncidentRef } from '../incident/incident.ts';
import { canonicalJson, digestOf } from '../text/digest.ts';
import type { ApprovalProof } from './approval.ts';

/** How long a pool may begin a step on a warrant. */
export const warrantLastsMs = 5 * 60_000;
/** Maximum difference between the clocks of a cell and its pools. */
const clocksDifferMs = 60_000;

/** The parts of a step's call that a warrant is bound to. */
export interface WarrantedCall {
  readonly key: string;
  readonly action: string;
  readonly input: unknown;
  readonly incident: IncidentRef;
  readonly approval?: ApprovalProof;
  readonly waiver?: ApprovalProof;
}

/** Who decided, and when the cell saw it: a shift that has ended since does not withdraw a vote. */
interface WarrantedVote {
  readonly person: string;
  /** The vote's own signature. */
  readonly signature: string;
  /** Milliseconds since 1970, by the cell's clock. */
  readonly at: number;
}

/**
 * A cell's statement to a pool that runs in its own process: this one step is approved, by these people. The pool has heard no alerts and has seen no votes
 * arrive. It still checks whatever it can check itself.
 */
export interface Warrant {
  readonly version: 1;
  readonly id: string;
  readonly incident: IncidentRef;
  /** The step's key. */
  readonly step: string;
  readonly action: string;
  readonly inputDigest: string;
  /** Digest of the plan that people approved. */
  readonly planDigest: string;
  /** Digest of the question, the choice and the votes of the approval, and of the waiver if there is one. */
  readonly proofDigest: string;
  /** Severity of the incident, as the cell knows it. */
  readonly severity: Severity;
  readonly deciders: readonly WarrantedVote[];
  /** Ids of people whom the incident's alerts name as the actor, and of those who ordered it. */
  readonly actors: readonly string[];
  readonly requesters: readonly string[];
  /** Milliseconds since 1970, by the cell's clock. */
  readonly at: number;
  readonly until: number;
}

export interface SignedWarrant {
  readonly warrant: Warrant;
  readonly keyId: string;
  /** Ed25519 over `warrantBytes(warrant)`, base64. */
  readonly signature: string;
}

/** The bytes that are signed, with a domain prefix so that a signature made for another purpose is never accepted as a warrant. */
export function warrantBytes(warrant: Warrant): Uint8Array {
  return new TextEncoder().encode(`firebreak.warrant.v1\n${canonicalJson(warrant)}`);
}

/** What a warrant for the release of a step is bound to: the step, and what people have decided about its release. */
export function releaseOfCall(call: WarrantedCall, proof: ApprovalProof): WarrantedCall {
  const { key, action, input, incident } = call;
  return { key, action: `undo:${action}`, input, incident, approval: proof };
}

/** Digest of everything that the people of a call have decided. */
export function proofDigestOf({ approval, waiver }: Pick<WarrantedCall, 'approval' | 'waiver'>): string {
  const bare = (proof: ApprovalProof | undefined) =>
    proof ? { question: proof.question, choice: proof.choice, votes: proof.votes.map(({ signature }) => signature) } : null;
  return digestOf({ approval: bare(approval), waiver: bare(waiver) });
}

/** Why a warrant does not apply to this call; undefined if it does. Whether it has expired is a separate check: see `isOutdated`. */
export function problemOfWarrant(warrant: Warrant, call: WarrantedCall, planDigest: string | undefined): string | undefined {
  if (warrant.version !== 1) return 'the warrant is of an unknown kind';
  if (warrant.incident.id !== call.incident.id || warrant.incident.run !== call.incident.run)
    return 'the warrant is for another incident';
  if (warrant.step !== call.key || warrant.action !== call.action) return 'the warrant is for another step';
  if (warrant.inputDigest !== digestOf(call.input)) return 'the warrant is for another target';
  if (warrant.planDigest !== planDigest) return 'the warrant is for another plan';
  if (warrant.proofDigest !== proofDigestOf(call)) return 'the warrant is for another approval';
  return undefined;
}

/** Whether the warrant has expired, is not valid yet, or is valid for longer than a cell grants. */
export function isOutdated({ at, until }: Warrant, now: number): boolean {
  return !(at <= now + clocksDifferMs && now <= until + clocksDifferMs && until - at <= warrantLastsMs);
}
