import type { Plan } from '../action/plan.ts';
import type { Severity } from '../alert/severity.ts';
import { labelOfPlans } from '../cards/choice-label.ts';
import type { ApprovalProof } from '../decide/approval.ts';
import { type Level, type Question, questionDigest } from '../decide/approval.ts';
import type { IncidentRef } from '../incident/incident.ts';
import { digestOf } from '../text/digest.ts';
import {
  approveChoice,
  controlIdOf,
  markedIn,
  type Order,
  proposedUntil,
  rejectChoice,
  type SignedOrder,
} from './suppression.ts';

/**
 * `freeze`: whatever would be automatic becomes a question to people. `observe`: nothing is done at all, and the plan is on record. `break-glass`:
 * the other way round, for a short time: caps, freezes and change windows do not hold.
 */
export const restraintModes = ['freeze', 'observe', 'break-glass'] as const;
export type RestraintMode = (typeof restraintModes)[number];
/** Those that hold the response up. */
export type HoldingMode = Exclude<RestraintMode, 'break-glass'>;

export type RestraintScope =
  | { readonly kind: 'cluster' }
  | { readonly kind: 'namespace'; readonly name: string }
  | { readonly kind: 'playbook'; readonly name: string }
  /** Its id. Only of a broken glass. */
  | { readonly kind: 'incident'; readonly name: string };

/** What people decide on: all of it is signed by who proposes it, and covered by each vote. */
export interface RestraintTerms {
  readonly version: 1;
  /** 16 hex digits, drawn by who proposes. */
  readonly id: string;
  readonly cluster: string;
  readonly mode: RestraintMode;
  readonly scope: RestraintScope;
  /** A person of the roster, who answers for it. */
  readonly owner: string;
  readonly reason: string;
  /** ISO 8601, UTC. */
  readonly from: string;
  readonly until: string;
}

export interface ProposeRestraint extends Order {
  readonly kind: 'restraint.propose';
  readonly terms: RestraintTerms;
  /** From a dialog in Slack: signed by the desk’s key, for the person. Absent: from the command line, by the person’s own key. */
  readonly via?: 'slack';
}

/** Strengthening: one person is enough. */
export interface EndRestraint extends Order {
  readonly kind: 'restraint.end';
  readonly cluster: string;
  readonly restraint: string;
  readonly reason: string;
  readonly via?: 'slack';
}

/**
 * What a sign-in for an end is bound to: which one ends, and why; not when it was ordered. The provider signs a nonce that is made of it as if it
 * were a vote for `endChoice`.
 */
export function endDigest({ cluster, restraint, reason }: Pick<EndRestraint, 'cluster' | 'restraint' | 'reason'>): string {
  return digestOf({ for: 'firebreak.restraint-end.v1', cluster, restraint, reason });
}

export const endChoice = 'end';

export type SignedRestraint = SignedOrder<ProposeRestraint>;
export type SignedRestraintEnd = SignedOrder<EndRestraint>;

/** A restraint with everything that proves it: whoever believes it checks all of it. */
export interface DecidedRestraint {
  readonly proposal: SignedRestraint;
  readonly proof: ApprovalProof;
}

export const longestRestraintMs = 30 * 86_400_000;
export const longestBrokenGlassMs = 86_400_000;

export function longestMsOf({ mode }: Pick<RestraintTerms, 'mode'>): number {
  return mode === 'break-glass' ? longestBrokenGlassMs : longestRestraintMs;
}

/** A broken glass names one incident or one namespace, and nothing wider; what holds the response up names no incident. */
export function isScopeOf({ mode, scope }: Pick<RestraintTerms, 'mode' | 'scope'>): boolean {
  if (mode === 'break-glass') return scope.kind === 'incident' || scope.kind === 'namespace';
  return scope.kind !== 'incident';
}

/**
 * How bad it is to be wrong about it, which says how many people it takes besides who proposes it. A freeze leaves every step to people, and is
 * needed in a hurry: one, and so is a broken glass. In observe mode even what people approve is not done: two.
 */
export function severityOf({ mode }: Pick<RestraintTerms, 'mode'>): Severity {
  return mode === 'observe' ? 'critical' : 'high';
}

export function scopeText(scope: RestraintScope): string {
  return scope.kind === 'cluster' ? 'the whole cluster' : `the ${scope.kind} ${scope.name}`;
}

const titles: Readonly<Record<RestraintMode, string>> = {
  freeze: 'freeze of',
  observe: 'observe mode for',
  'break-glass': 'broken glass for',
};

export function restraintTitle({ mode, scope }: Pick<RestraintTerms, 'mode' | 'scope'>): string {
  return `${titles[mode]} ${scopeText(scope)}`;
}

/** What each mode does while it is in force. */
export const restraintMeanings: Readonly<Record<RestraintMode, string>> = {
  freeze: 'nothing is done at once: each step becomes a question to people',
  observe: 'nothing is done at all, also not what people approve: each step becomes a plan on record',
  'break-glass': 'caps, freezes and change windows do not hold; protected namespaces, approvals and evidence do as always',
};

function touchedBy({ scope, cluster }: RestraintTerms): string {
  if (scope.kind === 'cluster') return `cluster/${cluster}`;
  return scope.kind === 'incident' ? scope.name : `${scope.kind}/${scope.name}`;
}

/** What a vote approves: its digest covers every word of the terms. */
export function restraintPlan(terms: RestraintTerms): Plan {
  const { mode, scope, owner, reason, from, until, id } = terms;
  const touched = touchedBy(terms);
  return {
    action: mode,
    effect: 'reversible',
    reach: scope.kind === 'namespace' ? 'namespace' : scope.kind === 'incident' ? 'workload' : 'cluster',
    weakens: true,
    target: { name: `restraint/${id}` },
    changes: [{ target: touched, what: restraintMeanings[mode] }],
    blastRadius: [touched],
    notes: [
      mode === 'break-glass'
        ? 'Everybody is told now, and when it ends.'
        : 'Reading, evidence and tickets go on; what is contained stays contained, and can be released.',
      `from ${from} until ${until}`,
      `${owner} answers for it`,
      `reason: ${reason}`,
    ],
    inputDigest: digestOf(terms),
  };
}

const questions: Readonly<Record<RestraintMode, string>> = {
  freeze: 'Freeze',
  observe: 'Only observe',
  'break-glass': 'Break the glass for',
};

/** The question about a proposal. The same for everybody who makes it: the cell makes it again and compares. */
export function restraintQuestion(asked: {
  readonly terms: RestraintTerms;
  readonly proposer: string;
  readonly control: IncidentRef;
  readonly levels: readonly Level[];
  /** The mark for people that a yes needs a sign-in: see `Choice`. */
  readonly stepUp?: true | undefined;
}): Question {
  const { terms, proposer, control, levels, stepUp } = asked;
  const severity = severityOf(terms);
  return {
    id: `restrain:${terms.id}`,
    incident: control,
    severity,
    text: `${questions[terms.mode]} ${scopeText(terms.scope)}, until ${terms.until}?`,
    choices: [
      {
        id: approveChoice,
        label: labelOfPlans([restraintPlan(terms)], 'Yes'),
        plans: [restraintPlan(terms)],
        quorum: severity === 'critical' ? 2 : 1,
        ...(stepUp && { stepUp }),
      },
      { id: rejectChoice, label: 'No', plans: [], quorum: 1 },
    ],
    levels,
    requester: `person/${proposer}`,
    onSilence: 'The response stays as it is.',
    until: proposedUntil(terms),
  };
}

/** Whether the proof is about these terms, asked in the one way in which they are asked. */
export function isRestraintQuestion({ proposal, proof }: DecidedRestraint): boolean {
  const { terms, person } = proposal.order;
  const { incident, levels } = proof.question;
  const asked = restraintQuestion({ terms, proposer: person, control: incident, levels, stepUp: markedIn(proof.question) });
  return incident.id === controlIdOf(terms.cluster) && questionDigest(asked) === questionDigest(proof.question);
}

/** A restraint that was checked: what the chokepoint asks for each step. */
export interface ActiveRestraint {
  readonly terms: RestraintTerms;
  readonly proposer: string;
  readonly approvers: readonly string[];
}

/** What a step is about, as far as a restraint can name it. */
export interface Restrainable {
  readonly namespaces: readonly string[];
  readonly playbook: string;
  /** Id of its incident. */
  readonly incident?: string;
}

function covers({ mode, scope }: RestraintTerms, { namespaces, playbook, incident }: Restrainable): boolean {
  if (scope.kind === 'cluster') return true;
  if (scope.kind === 'playbook') return scope.name === playbook;
  if (scope.kind === 'incident') return scope.name === incident;
  // What holds up is enough in one of its namespaces; what lifts must be for all of them.
  if (mode !== 'break-glass') return namespaces.includes(scope.name);
  return namespaces.length > 0 && namespaces.every((namespace) => namespace === scope.name);
}

/** Whether it is in force at this time, in milliseconds since 1970. */
export function isInForce({ from, until }: Pick<RestraintTerms, 'from' | 'until'>, now: number): boolean {
  return now >= Date.parse(from) && now < Date.parse(until);
}

/** The one that decides on a step now: observe mode before a broken glass, which lifts a freeze; undefined when there is none. */
export function restraintOn(active: readonly ActiveRestraint[], step: Restrainable, now: number): ActiveRestraint | undefined {
  const found = active.filter(({ terms }) => isInForce(terms, now) && covers(terms, step));
  const of = (mode: RestraintMode) => found.find(({ terms }) => terms.mode === mode);
  return of('observe') ?? of('break-glass') ?? of('freeze');
}

/** What people read where a step was held up by it. */
export function restraintReason({ terms }: ActiveRestraint): string {
  return `${restraintTitle(terms)} (${terms.id}) until ${terms.until}, for which ${terms.owner} answers: ${terms.reason}`;
}
