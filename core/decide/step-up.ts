import type { Plan, Reach } from '../action/plan.ts';
import type { Severity } from '../alert/severity.ts';
import type { Person } from '../people/roster.ts';
import { digestOf } from '../text/digest.ts';
import type { FormAnswers } from './form.ts';

/**
 * Decisions above all incidents that can also need a sign-in: hiding critical alerts; freezing or only observing the whole cluster, or a playbook in all of it;
 * ending one of these early; breaking the glass.
 */
export const stepUpDecisions = ['critical-suppression', 'cluster-restraint', 'cluster-restraint-end', 'break-glass'] as const;
export type StepUpDecision = (typeof stepUpDecisions)[number];

/**
 * Which steps and decisions need a fresh sign-in at the identity provider besides the vote. From the cell's own configuration: no workflow can influence it.
 */
export interface StepUpPolicy {
  readonly issuer: string;
  /** The audience of accepted tokens: our client id at the provider. */
  readonly audience: string;
  /** Reaches of the steps that need one. */
  readonly reaches: readonly Reach[];
  readonly decisions: readonly StepUpDecision[];
  /** Maximum time between the person's authentication (with a password, or whatever the provider asks for) and the vote. */
  readonly maxAgeMs: number;
}

/** What an ID token says, after its signature, issuer and audience were checked. Times are milliseconds since 1970. */
export interface SignIn {
  readonly issuer: string;
  readonly subject: string;
  readonly nonce: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
  /** When the person was authenticated; absent if the provider does not say. */
  readonly authenticatedAt?: number;
}

const clockToleranceMs = 60_000;

/** Returns what an answer with this plan decides: a step, or something above all incidents; undefined for plans that are never wide. */
function decidedBy({ action, reach }: Plan, severity: Severity): 'step' | StepUpDecision | undefined {
  switch (action) {
    case 'suppress':
      return severity === 'critical' ? 'critical-suppression' : undefined;
    case 'freeze':
    case 'observe':
      return reach === 'cluster' ? 'cluster-restraint' : undefined;
    case 'break-glass':
      return 'break-glass';
    default:
      return 'step';
  }
}

/** `severity`: of the question. */
export function needsStepUp(
  { plans, severity }: { readonly plans: readonly Plan[]; readonly severity: Severity },
  { reaches, decisions = [] }: Pick<StepUpPolicy, 'reaches'> & Partial<Pick<StepUpPolicy, 'decisions'>>,
): boolean {
  return plans.some((plan) => {
    const decided = decidedBy(plan, severity);
    if (decided === 'step') return plan.effect !== 'read' && reaches.includes(plan.reach);
    return decided !== undefined && decisions.includes(decided);
  });
}

/** Returns whether ending what this plan has begun needs a sign-in. */
export function endNeedsStepUp(plan: Plan, { decisions }: Pick<StepUpPolicy, 'decisions'>): boolean {
  return decisions.includes('cluster-restraint-end') && decidedBy(plan, 'unknown') === 'cluster-restraint';
}

/**
 * Returns what the provider must sign: this answer of this person, with the filled-in form, to exactly this question, whose digest covers the plans. A token
 * for anything else, or from an earlier sign-in, is worthless here.
 */
export function stepUpNonce(answer: {
  readonly questionDigest: string;
  readonly choice: string;
  readonly person: string;
  readonly answers?: FormAnswers;
}): string {
  const { questionDigest, choice, person, answers } = answer;
  return digestOf({ for: 'firebreak.step-up.v1', questionDigest, choice, person, ...(answers && { answers }) });
}

/** Returns why a sign-in does not support this vote; undefined if it does. `at` is the vote's own time. */
export function signInRefusal(check: {
  readonly policy: StepUpPolicy;
  readonly vote: Parameters<typeof stepUpNonce>[0];
  readonly at: number;
  readonly person: Person;
  readonly signIn: SignIn | undefined;
}): string | undefined {
  const { policy, vote, at, person, signIn } = check;
  if (!signIn) return 'This answer needs a sign-in in addition to your vote, and has no valid one.';
  if (signIn.issuer !== policy.issuer) return 'You signed in with a different identity provider.';
  if (person.subject === undefined || signIn.subject !== person.subject) return 'You signed in as somebody else.';
  if (signIn.nonce !== stepUpNonce(vote)) return 'You signed in for a different answer: the question may have changed since.';
  if (signIn.issuedAt > at + clockToleranceMs || signIn.expiresAt < at - clockToleranceMs)
    return 'Your sign-in was not valid at the time of your vote.';
  if (signIn.authenticatedAt === undefined || signIn.authenticatedAt < at - policy.maxAgeMs - clockToleranceMs)
    return 'Your sign-in is too old: the identity provider must ask you again.';
  return undefined;
}
