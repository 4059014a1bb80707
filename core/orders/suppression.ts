import type { Plan } from '../action/plan.ts';
import { type Alert, actorsOf, type WorkloadRef } from '../alert/alert.ts';
import { atLeast, type Severity } from '../alert/severity.ts';
import type { Match } from '../playbook/match.ts';
import { matchAlert } from '../playbook/match-alert.ts';
import { matchText } from '../playbook/match-text.ts';
import { digestOf } from '../text/digest.ts';
import type { DecisionKind, Order, Terms } from './order.ts';

/** Conditions that can narrow a suppression further: what the alert itself says, as playbooks match it. What is not known about an alert hides nothing. */
export const narrowing = ['sensor', 'process', 'tag', 'technique', 'tactic', 'priority', 'window', 'not'] as const;

/** What a suppression hides: never less specific than one rule, one workload and one image, by name. */
export interface SuppressionMatch extends Pick<Match, (typeof narrowing)[number]> {
  readonly rule: string;
  readonly namespace: string;
  readonly workload: { readonly kind: string; readonly name: string };
  /** `sha256:` and 64 hex digits: a new image must be decided on again. */
  readonly image: { readonly digest: string };
}

export interface SuppressionTerms extends Terms {
  readonly match: SuppressionMatch;
  /** Highest severity that it hides. Hiding critical alerts takes two people; anything more severe than this is never hidden. */
  readonly upTo: Severity;
}

/** Weakens the response: others must agree. */
export interface ProposeSuppression extends Order {
  readonly kind: 'suppression.propose';
  readonly terms: SuppressionTerms;
  /** Ids of people whom the underlying alerts name as the actor: they may neither propose nor approve it. Absent: none are known. */
  readonly actors?: readonly string[];
}

export const longestSuppressionMs = 30 * 86_400_000;

export function workloadText({ namespace, kind, name }: Omit<WorkloadRef, 'guessed'>): string {
  return `${kind.toLowerCase()}/${namespace}/${name}`;
}

export function suppressedWorkload({ namespace, workload }: SuppressionMatch): string {
  return workloadText({ namespace, ...workload });
}

/** The further narrowing, as people read it; undefined if there is none. */
export function narrowingText({
  rule: _,
  namespace: __,
  workload: ___,
  image: ____,
  ...narrower
}: SuppressionMatch): string | undefined {
  return matchText(narrower) || undefined;
}

function suppressionTitle({ match, upTo }: SuppressionTerms): string {
  return `alerts of “${match.rule}”, ${upTo} at worst, of ${suppressedWorkload(match)}`;
}

/** What a vote approves: its digest covers every word of the terms. */
function suppressionPlan(terms: SuppressionTerms): Plan {
  const { match, owner, reason, from, until, id } = terms;
  const workload = suppressedWorkload(match);
  const only = narrowingText(match);
  return {
    action: 'suppress',
    effect: 'reversible',
    reach: 'workload',
    weakens: true,
    target: { name: `suppression/${match.namespace}/${id}` },
    changes: [{ target: workload, what: `hides ${suppressionTitle(terms)}` }],
    blastRadius: [workload],
    notes: [
      `only of the image ${match.image.digest}`,
      ...(only === undefined ? [] : [`only where ${only}`]),
      `from ${from} until ${until}`,
      `${owner} is responsible for it`,
      `reason: ${reason}`,
    ],
    inputDigest: digestOf(terms),
  };
}

export function suppressionKind({ terms, person, actors = [] }: ProposeSuppression): DecisionKind {
  const { match, upTo, until, from } = terms;
  const title = suppressionTitle(terms);
  const isActor = actors.includes(person);
  return {
    noun: 'suppression',
    name: 'Suppression',
    title: `hide ${title}`,
    severity: upTo,
    question: `Hide ${title}, until ${until}?`,
    plan: suppressionPlan(terms),
    longest: { what: 'A suppression', ms: longestSuppressionMs },
    problem: isActor ? 'An alert of this incident names you as the actor: you may not suppress it.' : undefined,
    // If the workflow does not list it, nothing is hidden: that is the safe side.
    outlivesForgetting: false,
    begun: `${title}: hidden until ${until}`,
    over: `${title}: no longer hidden`,
    nothing: 'nothing is hidden',
    onSilence: 'Nothing is hidden.',
    happened: {
      rule: match.rule,
      sensor: typeof match.sensor === 'string' ? match.sensor : 'any sensor',
      at: from,
      count: 0,
      pod: suppressedWorkload(match),
      image: match.image.digest,
    },
  };
}

/** A suppression that passed the checks: what the intake consults for each alert. */
export interface ActiveSuppression {
  readonly terms: SuppressionTerms;
  readonly proposer: string;
  readonly approvers: readonly string[];
  /** Accounts of everybody who decided on it: it does not hide an alert that names one of them as the actor. */
  readonly accounts: readonly string[];
}

/** The key under which an alert's suppressions are found; undefined for an alert that none can hide. */
export function suppressionKey({ rule, namespace, workload, image }: SuppressionMatch): string {
  return JSON.stringify([rule, namespace, workload.kind, workload.name, image.digest]);
}

/** Why no suppression can hide an alert. */
export type UnsuppressibleReason = 'in doubt' | 'no workload' | 'guessed owner' | 'unknown pod' | 'unknown image';

/**
 * What would hide exactly alerts like this one. Only what the cluster itself has confirmed can be hidden: no guessed owner, no pod without uid, nothing in
 * doubt.
 */
export function matchOf(
  alert: Alert,
): (SuppressionMatch & { readonly sensor: string }) | { readonly unsuppressible: UnsuppressibleReason } {
  const { rule, sensor, workload, container, pod, doubt } = alert;
  if (doubt !== undefined) return { unsuppressible: 'in doubt' };
  if (!workload) return { unsuppressible: 'no workload' };
  if (workload.guessed) return { unsuppressible: 'guessed owner' };
  if (pod?.uid === undefined) return { unsuppressible: 'unknown pod' };
  if (!container?.digest) return { unsuppressible: 'unknown image' };
  const { namespace, kind, name } = workload;
  return { rule, namespace, workload: { kind, name }, image: { digest: container.digest }, sensor };
}

export function suppressionKeyOf(alert: Alert): string | undefined {
  const match = matchOf(alert);
  return 'unsuppressible' in match ? undefined : suppressionKey(match);
}

/** Whether the suppression hides this alert now. The caller has matched their keys. */
export function hides(suppression: ActiveSuppression, alert: Alert, now: number): boolean {
  const { terms, accounts } = suppression;
  const { match, upTo, from, until } = terms;
  if (now < Date.parse(from) || now >= Date.parse(until)) return false;
  if (alert.cluster !== terms.cluster || !atLeast(upTo, alert.severity)) return false;
  if (matchAlert(match, alert) !== true) return false;
  return !actorsOf(alert).some((actor) => accounts.includes(actor));
}
