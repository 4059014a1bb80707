import type { Plan } from '../action/plan.ts';
import { type Alert, actorsOf } from '../alert/alert.ts';
import { atLeast, type Severity } from '../alert/severity.ts';
import { labelOfPlans } from '../cards/choice-label.ts';
import { type ApprovalProof, type Level, type Question, questionDigest } from '../decide/approval.ts';
import type { IncidentRef } from '../incident/incident.ts';
import { canonicalJson, digestOf } from '../text/digest.ts';

/** What a suppression hides: never less exact than one rule, one workload, one image. */
export interface SuppressionMatch {
  readonly rule: string;
  readonly workload: { readonly namespace: string; readonly kind: string; readonly name: string };
  /** `sha256:` and 64 hex digits: a new image is a new question. */
  readonly digest: string;
  readonly sensor?: string;
  /** Path of the executable, exactly. */
  readonly exe?: string;
}

/** What people decide on: all of it is signed by who proposes it, and covered by each vote. */
export interface SuppressionTerms {
  readonly version: 1;
  /** 16 hex digits, drawn by who proposes. */
  readonly id: string;
  readonly cluster: string;
  readonly match: SuppressionMatch;
  /** The worst alert that it hides. Hiding critical ones takes two people; anything worse than this is never hidden. */
  readonly upTo: Severity;
  /** A person of the roster, who answers for it. */
  readonly owner: string;
  readonly reason: string;
  /** ISO 8601, UTC. */
  readonly from: string;
  readonly until: string;
}

/** A person's order from the command line, signed by their own key. */
export interface SignedOrder<Order> {
  readonly order: Order;
  readonly keyId: string;
  /** Ed25519 over `orderBytes(order)`, base64. */
  readonly signature: string;
  /** The identity provider's own word, where the order needs one: it carries its own signature, and names this very order. */
  readonly idToken?: string;
}

export interface ProposeSuppression {
  readonly version: 1;
  readonly kind: 'suppression.propose';
  readonly person: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly terms: SuppressionTerms;
  /** From a dialog in Slack: signed by the desk’s key, for the person. Absent: from the command line, by the person’s own key. */
  readonly via?: 'slack';
  /** Ids of people whom the alerts that it came from name as the actor: they neither propose nor approve it. Absent: nobody is known. */
  readonly actors?: readonly string[];
}

/** Strengthening: one person is enough. */
export interface EndSuppression {
  readonly version: 1;
  readonly kind: 'suppression.end';
  readonly person: string;
  readonly at: string;
  readonly cluster: string;
  readonly suppression: string;
  readonly reason: string;
  /** From a command in Slack: signed by the desk’s key, for the person. Absent: from the command line, by the person’s own key. */
  readonly via?: 'slack';
}

export type SignedProposal = SignedOrder<ProposeSuppression>;
export type SignedEnd = SignedOrder<EndSuppression>;

/** A suppression with everything that proves it: whoever believes it checks all of it. */
export interface DecidedSuppression {
  readonly proposal: SignedProposal;
  readonly proof: ApprovalProof;
}

export const longestSuppressionMs = 30 * 86_400_000;
export const approveChoice = 'approve';
export const rejectChoice = 'reject';

/** What every order has. Its kind is among what is signed: an order of one kind is never taken for one of another. */
export interface Order {
  readonly version: 1;
  readonly kind: string;
  readonly person: string;
  /** ISO 8601, UTC. */
  readonly at: string;
}

/** The bytes that are signed: with a prefix of their own, so that no vote is ever taken for an order or the other way round. */
export function orderBytes(order: Order): Uint8Array {
  return new TextEncoder().encode(`firebreak.order.v1\n${canonicalJson(order)}`);
}

export function controlIdOf(cluster: string): string {
  return `control/${cluster}`;
}

export function workloadText({ namespace, kind, name }: SuppressionMatch['workload']): string {
  return `${kind.toLowerCase()}/${namespace}/${name}`;
}

export function suppressionTitle({ match, upTo }: SuppressionTerms): string {
  return `alerts of “${match.rule}”, ${upTo} at worst, of ${workloadText(match.workload)}`;
}

/** What a vote approves: its digest covers every word of the terms. */
export function suppressionPlan(terms: SuppressionTerms): Plan {
  const { match, owner, reason, from, until, id } = terms;
  const workload = workloadText(match.workload);
  return {
    action: 'suppress',
    effect: 'reversible',
    reach: 'workload',
    weakens: true,
    target: { name: `suppression/${match.workload.namespace}/${id}` },
    changes: [{ target: workload, what: `hides ${suppressionTitle(terms)}` }],
    blastRadius: [workload],
    notes: [
      `only of the image ${match.digest}`,
      ...(match.sensor === undefined ? [] : [`only from the sensor ${match.sensor}`]),
      ...(match.exe === undefined ? [] : [`only of the executable ${match.exe}`]),
      `from ${from} until ${until}`,
      `${owner} answers for it`,
      `reason: ${reason}`,
    ],
    inputDigest: digestOf(terms),
  };
}

const proposedForMs = 7 * 86_400_000;

/** So long people may answer a proposal: a week, and not when what it proposes would be over. */
export function proposedUntil({ from, until }: { readonly from: string; readonly until: string }): string {
  const ends = Math.min(Date.parse(from) + proposedForMs, Date.parse(until));
  // What is no time is refused by whoever checks the terms.
  return Number.isNaN(ends) ? until : new Date(ends).toISOString();
}

/** The question about a proposal. The same for everybody who makes it: the cell makes it again and compares. */
export function suppressionQuestion(asked: {
  readonly terms: SuppressionTerms;
  readonly proposer: string;
  readonly control: IncidentRef;
  readonly levels: readonly Level[];
  readonly actors?: readonly string[] | undefined;
  /** The mark for people that a yes needs a sign-in: see `Choice`. */
  readonly stepUp?: true | undefined;
}): Question {
  const { terms, proposer, control, levels, actors, stepUp } = asked;
  return {
    id: `suppress:${terms.id}`,
    incident: control,
    severity: terms.upTo,
    text: `Hide ${suppressionTitle(terms)}, until ${terms.until}?`,
    choices: [
      {
        id: approveChoice,
        label: labelOfPlans([suppressionPlan(terms)], 'Yes'),
        plans: [suppressionPlan(terms)],
        quorum: terms.upTo === 'critical' ? 2 : 1,
        ...(stepUp && { stepUp }),
      },
      { id: rejectChoice, label: 'No', plans: [], quorum: 1 },
    ],
    levels,
    requester: `person/${proposer}`,
    onSilence: 'Nothing is hidden.',
    until: proposedUntil(terms),
    ...(actors === undefined ? {} : { actors }),
  };
}

/** Whether people were told that a yes needs a sign-in. Whether it does, the cell's own policy says when it checks the votes. */
export function markedIn({ choices }: Question): true | undefined {
  return choices.find(({ id }) => id === approveChoice)?.stepUp;
}

/** Whether the proof is about these terms, asked in the one way in which they are asked. */
export function isQuestionOf({ proposal, proof }: DecidedSuppression): boolean {
  const { terms, person, actors } = proposal.order;
  const { incident, levels } = proof.question;
  const asked = suppressionQuestion({
    terms,
    proposer: person,
    control: incident,
    levels,
    actors,
    stepUp: markedIn(proof.question),
  });
  return incident.id === controlIdOf(terms.cluster) && questionDigest(asked) === questionDigest(proof.question);
}

/** A suppression that was checked: what the intake asks for each alert. */
export interface ActiveSuppression {
  readonly terms: SuppressionTerms;
  readonly proposer: string;
  readonly approvers: readonly string[];
  /** Accounts of everybody who decided on it: an alert that names one of them as the actor is not hidden by it. */
  readonly accounts: readonly string[];
}

/** Where to look for an alert's suppressions; undefined for an alert that none can hide. */
export function suppressionKey({ rule, workload, digest }: SuppressionMatch): string {
  return JSON.stringify([rule, workload.namespace, workload.kind, workload.name, digest]);
}

/** Why no suppression can hide an alert. */
export type Unhidable = 'in doubt' | 'no workload' | 'guessed owner' | 'unknown pod' | 'unknown image';

/**
 * What would hide exactly alerts like this one. Only what the cluster itself has told for sure can be hidden: no guessed owner, no pod without
 * uid, nothing in doubt.
 */
export function matchOf(alert: Alert): Required<Omit<SuppressionMatch, 'exe'>> | { readonly unhidable: Unhidable } {
  const { rule, sensor, workload, container, pod, doubt } = alert;
  if (doubt !== undefined) return { unhidable: 'in doubt' };
  if (!workload) return { unhidable: 'no workload' };
  if (workload.guessed) return { unhidable: 'guessed owner' };
  if (pod?.uid === undefined) return { unhidable: 'unknown pod' };
  if (!container?.digest) return { unhidable: 'unknown image' };
  const { namespace, kind, name } = workload;
  return { rule, workload: { namespace, kind, name }, digest: container.digest, sensor };
}

export function suppressionKeyOf(alert: Alert): string | undefined {
  const match = matchOf(alert);
  return 'unhidable' in match ? undefined : suppressionKey(match);
}

/** Whether the suppression hides this alert now. Its key is the alert's. */
export function hides(suppression: ActiveSuppression, alert: Alert, now: number): boolean {
  const { terms, accounts } = suppression;
  const { match, upTo, from, until } = terms;
  if (now < Date.parse(from) || now >= Date.parse(until)) return false;
  if (alert.cluster !== terms.cluster || !atLeast(upTo, alert.severity)) return false;
  if (match.sensor !== undefined && match.sensor !== alert.sensor) return false;
  if (match.exe !== undefined && match.exe !== alert.process?.exe) return false;
  return !actorsOf(alert).some((actor) => accounts.includes(actor));
}
