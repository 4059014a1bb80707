import type { Plan } from '../action/plan.ts';
import type { Severity } from '../alert/severity.ts';
import { type EvidenceClass, evidenceClasses } from '../evidence/evidence.ts';
import { canonicalJson } from '../text/digest.ts';

/** Common fields of all orders. The kind is signed too: an order of one kind is never accepted as one of another. */
export interface Order {
  readonly version: 1;
  readonly kind: string;
  readonly person: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** From a dialog or a command in Slack: signed with the desk’s key, for the person. Absent: signed with the person’s own key. */
  readonly via?: 'slack';
}

/** An order with the signature of the person who gives it. */
export interface SignedOrder<Given> {
  readonly order: Given;
  readonly keyId: string;
  /** Ed25519 over `orderBytes(order)`, base64. */
  readonly signature: string;
  /** The identity provider's token, if the order needs one: it has its own signature and names this very order. */
  readonly idToken?: string;
}

/** The bytes that are signed, with their own prefix so that a vote is never accepted as an order or vice versa. */
export function orderBytes(order: Order): Uint8Array {
  return new TextEncoder().encode(`firebreak.order.v1\n${canonicalJson(order)}`);
}

/** What people decide on for a limited time: all of it is signed by the proposer and covered by each vote. */
export interface Terms {
  readonly version: 1;
  /** 16 hex digits, drawn by the proposer. */
  readonly id: string;
  readonly cluster: string;
  /** The person of the roster who is responsible for it. */
  readonly owner: string;
  readonly reason: string;
  /** ISO 8601, UTC. */
  readonly from: string;
  readonly until: string;
}

/** Ends a decision, or withdraws a proposal. Strengthening: one person is enough. */
export interface EndDecision extends Order {
  readonly kind: `${DecisionNoun}.end`;
  readonly cluster: string;
  /** Id of the decision's terms. */
  readonly decision: string;
  readonly reason: string;
}

export type SignedEnd = SignedOrder<EndDecision>;

/** A person's order to read evidence from the store. It is recorded before any byte is handed out: evidence contains what an attacker and a workload wrote. */
export interface ReadEvidence extends Order {
  readonly kind: 'evidence.read';
  readonly cluster: string;
  /** The incident's id. */
  readonly incident: string;
  /** Addresses (SHA-256) of what is to be read: a manifest, or single artefacts. */
  readonly addresses: readonly string[];
  readonly reason: string;
}

/** A person's order about the evidence of an incident: destroy it, hold it, end the hold. */
export interface EvidenceOrder extends Order {
  readonly kind: 'evidence.destroy' | 'evidence.hold' | 'evidence.unhold';
  readonly cluster: string;
  /** The incident's id. */
  readonly incident: string;
  readonly reason: string;
  /** When destroying: only this run of the incident. */
  readonly run?: string;
  /** When destroying: only these classes. */
  readonly classes?: readonly EvidenceClass[];
}

export type SignedEvidenceOrder = SignedOrder<EvidenceOrder>;

/** The record kind of each such order, also used by whoever waits for it. */
export const doneBy = {
  'evidence.destroy': 'evidence.destroyed',
  'evidence.hold': 'evidence.held',
  'evidence.unhold': 'evidence.unheld',
} as const;

/** Record kind of the first of the two orders that end a hold. */
export const unholdAsked = 'evidence.unhold-asked';

/** Whether an order to destroy covers this key. */
export function isMeant(
  { incident, run, classes = evidenceClasses }: EvidenceOrder,
  key: { readonly incident: string; readonly run: string; readonly class: EvidenceClass },
): boolean {
  return key.incident === incident && (run === undefined || key.run === run) && classes.includes(key.class);
}

const proposedForMs = 7 * 86_400_000;

/** How long people may answer a proposal: a week, but at most until the proposed decision would end. */
export function proposedUntil({ from, until }: Pick<Terms, 'from' | 'until'>): string {
  const ends = Math.min(Date.parse(from) + proposedForMs, Date.parse(until));
  // An invalid time is rejected by the check of the terms.
  return Number.isNaN(ends) ? until : new Date(ends).toISOString();
}

/** The kinds of decisions across incidents, as their record kinds begin. */
export type DecisionNoun = 'suppression' | 'restraint' | 'promotion';

/** What one kind of decision says about its terms: the code that asks about, checks, reports and stores decisions needs to know nothing else. */
export interface DecisionKind {
  /** Prefix of its record kinds: `suppression.begun`. */
  readonly noun: DecisionNoun;
  readonly name: string;
  readonly title: string;
  /** How bad a wrong decision would be, which determines how many people it takes besides the proposer. */
  readonly severity: Severity;
  readonly question: string;
  /** What a vote approves: its digest covers every word of the terms. */
  readonly plan: Plan;
  readonly longest: { readonly what: string; readonly ms: number };
  /** Why it may not be proposed like this; undefined if it may. */
  readonly problem: string | undefined;
  /** Whether it stays in force until its end even if the control workflow no longer lists it: anyone who can reach Temporal can make it forget one. */
  readonly outlivesForgetting: boolean;
  readonly begun: string;
  readonly over: string;
  readonly nothing: string;
  readonly onSilence: string;
  /** What its card shows instead of an alert. */
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
