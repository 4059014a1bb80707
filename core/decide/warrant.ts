import type { Severity } from '../alert/severity.ts';
import type { IncidentRef } from '../incident/incident.ts';
import { canonicalJson, digestOf } from '../text/digest.ts';
import type { ApprovalProof } from './approval.ts';

/** So long a pool may begin a step on a warrant. */
export const warrantLastsMs = 5 * 60_000;
/** The clocks of a cell and of its pools may differ so much. */
const clocksDifferMs = 60_000;

/** What of a step's call a warrant is bound to. */
export interface WarrantedCall {
  readonly key: string;
  readonly action: string;
  readonly input: unknown;
  readonly incident: IncidentRef;
  readonly approval?: ApprovalProof;
  readonly waiver?: ApprovalProof;
}

/** Who has decided, and when the cell saw it: a shift that has ended since takes no vote back. */
interface WarrantedVote {
  readonly person: string;
  /** The vote's own. */
  readonly signature: string;
  /** Milliseconds since 1970, by the cell's clock. */
  readonly at: number;
}

/**
 * A cell's word to a pool in a process of its own: this one step is approved, by these people. The pool has heard no alerts and has seen no votes
 * arrive. What it can check itself it checks all the same.
 */
export interface Warrant {
  readonly version: 1;
  readonly id: string;
  readonly incident: IncidentRef;
  /** The step's key. */
  readonly step: string;
  readonly action: string;
  readonly inputDigest: string;
  /** Of the plan that people approved. */
  readonly planDigest: string;
  /** Of the question, the choice and the votes: of the approval, and of the waiver, if there is one. */
  readonly proofDigest: string;
  /** Of the incident, as the cell knows it. */
  readonly severity: Severity;
  readonly deciders: readonly WarrantedVote[];
  /** Ids of people whom its alerts name as the actor, and of those who ordered it. */
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

/** The bytes that are signed: a domain prefix, so that no signature for another purpose is ever taken for a warrant. */
export function warrantBytes(warrant: Warrant): Uint8Array {
  return new TextEncoder().encode(`firebreak.warrant.v1\n${canonicalJson(warrant)}`);
}

/** What a warrant for the release of a step is bound to: the step, and what people have said of its release. */
export function releaseOfCall(call: WarrantedCall, proof: ApprovalProof): WarrantedCall {
  const { key, action, input, incident } = call;
  return { key, action: `undo:${action}`, input, incident, approval: proof };
}

/** What the people of a call have said, in all. */
export function proofDigestOf({ approval, waiver }: Pick<WarrantedCall, 'approval' | 'waiver'>): string {
  const bare = (proof: ApprovalProof | undefined) =>
    proof ? { question: proof.question, choice: proof.choice, votes: proof.votes.map(({ signature }) => signature) } : null;
  return digestOf({ approval: bare(approval), waiver: bare(waiver) });
}

/** Why a warrant is not for this call; undefined where it is. Whether it is too late is another question: see `isOutdated`. */
export function problemOfWarrant(warrant: Warrant, call: WarrantedCall, planDigest: string | undefined): string | undefined {
  if (warrant.version !== 1) return 'the warrant is of a kind that is not known';
  if (warrant.incident.id !== call.incident.id || warrant.incident.run !== call.incident.run)
    return 'the warrant is for another incident';
  if (warrant.step !== call.key || warrant.action !== call.action) return 'the warrant is for another step';
  if (warrant.inputDigest !== digestOf(call.input)) return 'the warrant is for another target';
  if (warrant.planDigest !== planDigest) return 'the warrant is for another plan';
  if (warrant.proofDigest !== proofDigestOf(call)) return 'the warrant is for another approval';
  return undefined;
}

/** Its time is over, has not begun, or is longer than a cell gives. */
export function isOutdated({ at, until }: Warrant, now: number): boolean {
  return !(at <= now + clocksDifferMs && now <= until + clocksDifferMs && until - at <= warrantLastsMs);
}
