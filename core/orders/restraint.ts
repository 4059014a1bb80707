import type { Plan } from '../action/plan.ts';
import type { Severity } from '../alert/severity.ts';
import { digestOf } from '../text/digest.ts';
import type { DecisionKind, EndDecision, Order, Terms } from './order.ts';

/**
 * `freeze`: whatever would be automatic becomes a question to people. `observe`: nothing is done at all, and the plan is recorded. `break-glass`: the opposite,
 * for a short time: caps, freezes and change windows do not apply.
 */
export const restraintModes = ['freeze', 'observe', 'break-glass'] as const;
export type RestraintMode = (typeof restraintModes)[number];
/** The modes that hold the response back. */
export type HoldingMode = Exclude<RestraintMode, 'break-glass'>;

export type RestraintScope =
  | { readonly kind: 'cluster' }
  | { readonly kind: 'namespace'; readonly name: string }
  | { readonly kind: 'playbook'; readonly name: string }
  /** The incident's id. Only for break-glass. */
  | { readonly kind: 'incident'; readonly name: string };

export interface RestraintTerms extends Terms {
  readonly mode: RestraintMode;
  readonly scope: RestraintScope;
}

export interface ProposeRestraint extends Order {
  readonly kind: 'restraint.propose';
  readonly terms: RestraintTerms;
}

/**
 * What a sign-in for an end is bound to: what ends, and why; not when it was ordered. The provider signs a nonce made from it, as for a vote for `endChoice`.
 */
export function endDigest({ cluster, decision, reason }: Pick<EndDecision, 'cluster' | 'decision' | 'reason'>): string {
  return digestOf({ for: 'firebreak.restraint-end.v1', cluster, decision, reason });
}

export const endChoice = 'end';

export const longestRestraintMs = 30 * 86_400_000;
export const longestBrokenGlassMs = 86_400_000;

function longestMsOf({ mode }: Pick<RestraintTerms, 'mode'>): number {
  return mode === 'break-glass' ? longestBrokenGlassMs : longestRestraintMs;
}

/** Break-glass names one incident or one namespace, and nothing wider; modes that hold the response back name no incident. */
export function isScopeOf({ mode, scope }: Pick<RestraintTerms, 'mode' | 'scope'>): boolean {
  if (mode === 'break-glass') return scope.kind === 'incident' || scope.kind === 'namespace';
  return scope.kind !== 'incident';
}

/**
 * How bad a wrong decision would be, which determines how many people it takes besides the proposer. A freeze leaves every step to people and is needed in a
 * hurry, so it takes one; so does break-glass. In observe mode even approved steps are not done, so it takes two.
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
  'break-glass': 'break-glass session for',
};

export function restraintTitle({ mode, scope }: Pick<RestraintTerms, 'mode' | 'scope'>): string {
  return `${titles[mode]} ${scopeText(scope)}`;
}

/** What each mode does while it is in force. */
export const restraintMeanings: Readonly<Record<RestraintMode, string>> = {
  freeze: 'nothing is done at once: each step becomes a question to people',
  observe: 'nothing is done at all, not even what people approve: each step is only recorded as a plan',
  'break-glass': 'caps, freezes and change windows do not apply; protected namespaces, approvals and evidence still do',
};

function touchedBy({ scope, cluster }: RestraintTerms): string {
  if (scope.kind === 'cluster') return `cluster/${cluster}`;
  return scope.kind === 'incident' ? scope.name : `${scope.kind}/${scope.name}`;
}

/** What a vote approves: its digest covers every word of the terms. */
function restraintPlan(terms: RestraintTerms): Plan {
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
      `${owner} is responsible for it`,
      `reason: ${reason}`,
    ],
    inputDigest: digestOf(terms),
  };
}

const questions: Readonly<Record<RestraintMode, string>> = {
  freeze: 'Freeze',
  observe: 'Only observe',
  'break-glass': 'Start a break-glass session for',
};

const names: Readonly<Record<RestraintMode, string>> = {
  freeze: 'Freeze',
  observe: 'Observe mode',
  'break-glass': 'Break-glass session',
};

export function restraintKind({ terms, via }: ProposeRestraint): DecisionKind {
  const { mode, scope, until, from } = terms;
  const title = restraintTitle(terms);
  const isGlass = mode === 'break-glass';
  return {
    noun: 'restraint',
    name: names[mode],
    title,
    severity: severityOf(terms),
    question: `${questions[mode]} ${scopeText(scope)}, until ${until}?`,
    plan: restraintPlan(terms),
    longest: { what: isGlass ? 'A break-glass session' : 'A freeze or observe mode', ms: longestMsOf(terms) },
    problem: isScopeOf(terms) ? undefined : 'A decision of this kind cannot have this scope.',
    // Applies to break-glass too: otherwise a stranger could end it and delay the response.
    outlivesForgetting: true,
    begun: `${title}, until ${until}`,
    over: isGlass ? `${title} is over: the guardrails hold again` : `${title} is over: the response is as it was`,
    nothing: 'the response stays as it is',
    onSilence: 'The response stays as it is.',
    happened: {
      rule: title,
      sensor: via === 'slack' ? 'Slack' : 'the command line',
      at: from,
      count: 0,
      pod: scopeText(scope),
    },
  };
}

/** A restraint that passed the checks: what the chokepoint consults for each step. */
export interface ActiveRestraint {
  readonly terms: RestraintTerms;
  readonly proposer: string;
  readonly approvers: readonly string[];
}

/** What a step affects, in terms that a restraint can name. */
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
  // A mode that holds back applies if one of the namespaces is covered; break-glass applies only if all are.
  if (mode !== 'break-glass') return namespaces.includes(scope.name);
  return namespaces.length > 0 && namespaces.every((namespace) => namespace === scope.name);
}

/** Whether it is in force at this time, in milliseconds since 1970. */
export function isInForce({ from, until }: Pick<RestraintTerms, 'from' | 'until'>, now: number): boolean {
  return now >= Date.parse(from) && now < Date.parse(until);
}

/** The restraint that applies to a step now: observe mode takes precedence over break-glass, which lifts a freeze; undefined when there is none. */
export function restraintOn(active: readonly ActiveRestraint[], step: Restrainable, now: number): ActiveRestraint | undefined {
  const found = active.filter(({ terms }) => isInForce(terms, now) && covers(terms, step));
  const of = (mode: RestraintMode) => found.find(({ terms }) => terms.mode === mode);
  return of('observe') ?? of('break-glass') ?? of('freeze');
}

/** The text that people read when it holds back a step. */
export function restraintReason({ terms }: ActiveRestraint): string {
  return `${restraintTitle(terms)} (${terms.id}) until ${terms.until}, ${terms.owner} is responsible: ${terms.reason}`;
}
