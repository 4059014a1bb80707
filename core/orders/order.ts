import type { Plan } from '../action/plan.ts';
import type { Severity } from '../alert/severity.ts';
import { type EvidenceClass, evidenceClasses } from '../evidence/evidence.ts';
import { canonicalJson } from '../text/digest.ts';

/** What every order of a person has. Its kind is among what is signed: an order of one kind is never taken for one of another. */
export interface Order {
  readonly version: 1;
  readonly kind: string;
  readonly person: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** From a dialog or a command in Slack: signed by the desk’s key, for the person. Absent: by the person’s own key. */
  readonly via?: 'slack';
}

/** An order with the signature of who gives it. */
export interface SignedOrder<Given> {
  readonly order: Given;
  readonly keyId: string;
  /** Ed25519 over `orderBytes(order)`, base64. */
  readonly signature: string;
  /** The identity provider's own word, where the order needs one: it carries its own signature, and names this very order. */
  readonly idToken?: string;
}

/** The bytes that are signed: with a prefix of their own, so that no vote is ever taken for an order or the other way round. */
export function orderBytes(order: Order): Uint8Array {
  return new TextEncoder().encode(`firebreak.order.v1\n${canonicalJson(order)}`);
}

/** What people decide on for a time: all of it is signed by who proposes it, and covered by each vote. */
export interface Terms {
  readonly version: 1;
  /** 16 hex digits, drawn by who proposes. */
  readonly id: string;
  readonly cluster: string;
  /** A person of the roster, who answers for it. */
  readonly owner: string;
  readonly reason: string;
  /** ISO 8601, UTC. */
  readonly from: string;
  readonly until: string;
}

/** Ends what was decided, or withdraws what is proposed. Strengthening: one person is enough. */
export interface EndDecision extends Order {
  readonly kind: `${DecisionNoun}.end`;
  readonly cluster: string;
  /** Id of its terms. */
  readonly decision: string;
  readonly reason: string;
}

export type SignedEnd = SignedOrder<EndDecision>;

/**
 * A person's order to be given evidence out of the store. It is on the record before any byte is handed out: evidence holds what an attacker and a
 * workload wrote.
 */
export interface ReadEvidence extends Order {
  readonly kind: 'evidence.read';
  readonly cluster: string;
  /** The incident's id. */
  readonly incident: string;
  /** Addresses (SHA-256) of what is read: a manifest, or single artefacts. */
  readonly addresses: readonly string[];
  readonly reason: string;
}

/** A person's order about what is kept of an incident: destroy it, hold it, end the hold. */
export interface EvidenceOrder extends Order {
  readonly kind: 'evidence.destroy' | 'evidence.hold' | 'evidence.unhold';
  readonly cluster: string;
  /** The incident's id. */
  readonly incident: string;
  readonly reason: string;
  /** Of an order to destroy: only this run of the incident. */
  readonly run?: string;
  /** Of an order to destroy: only these classes. */
  readonly classes?: readonly EvidenceClass[];
}

export type SignedEvidenceOrder = SignedOrder<EvidenceOrder>;

/** What such an order does, for records and for who waits. */
export const doneBy = {
  'evidence.destroy': 'evidence.destroyed',
  'evidence.hold': 'evidence.held',
  'evidence.unhold': 'evidence.unheld',
} as const;

/** What the first of two orders to end a hold does. */
export const unholdAsked = 'evidence.unhold-asked';

/** Whether an order to destroy means this key. */
export function isMeant(
  { incident, run, classes = evidenceClasses }: EvidenceOrder,
  key: { readonly incident: string; readonly run: string; readonly class: EvidenceClass },
): boolean {
  return key.incident === incident && (run === undefined || key.run === run) && classes.includes(key.class);
}

const proposedForMs = 7 * 86_400_000;

/** So long people may answer a proposal: a week, and not when what it proposes would be over. */
export function proposedUntil({ from, until }: Pick<Terms, 'from' | 'until'>): string {
  const ends = Math.min(Date.parse(from) + proposedForMs, Date.parse(until));
  // What is no time is refused by whoever checks the terms.
  return Number.isNaN(ends) ? until : new Date(ends).toISOString();
}

/** What people decide on above all incidents, as its records begin. */
export type DecisionNoun = 'suppression' | 'restraint' | 'promotion';

/** What one kind of decision says of its terms: who asks, checks, tells and keeps it needs to know nothing else. */
export interface DecisionKind {
  /** Of its records: `suppression.begun`. */
  readonly noun: DecisionNoun;
  readonly name: string;
  readonly title: string;
  /** How bad it is to be wrong about it, which says how many people it takes besides who proposes it. */
  readonly severity: Severity;
  readonly question: string;
  /** What a vote approves: its digest covers every word of the terms. */
  readonly plan: Plan;
  readonly longest: { readonly what: string; readonly ms: number };
  /** Why nobody may propose it so; undefined where they may. */
  readonly problem: string | undefined;
  /** Whether it stands until its end where the control workflow does not name it any more: whoever reaches Temporal can have it forget one. */
  readonly outlivesForgetting: boolean;
  readonly begun: string;
  readonly over: string;
  readonly nothing: string;
  readonly onSilence: string;
  /** What its card tells instead of an alert. */
  readonly happened: {
    readonly rule: string;
    readonly sensor: string;
    readonly at: string;
    readonly count: number;
    readonly pod: string;
    readonly image?: string;
  };
}

export const approveChoice = 'approve';
export const rejectChoice = 'reject';

export function controlIdOf(cluster: string): string {
  return `control/${cluster}`;
}
