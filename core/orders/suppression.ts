import type { Plan } from '../action/plan.ts';
import { type Alert, actorsOf } from '../alert/alert.ts';
import { atLeast, type Severity } from '../alert/severity.ts';
import { digestOf } from '../text/digest.ts';
import type { DecisionKind, Order, Terms } from './order.ts';

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

export interface SuppressionTerms extends Terms {
  readonly match: SuppressionMatch;
  /** The worst alert that it hides. Hiding critical ones takes two people; anything worse than this is never hidden. */
  readonly upTo: Severity;
}

/** Weakens the response: others must agree. */
export interface ProposeSuppression extends Order {
  readonly kind: 'suppression.propose';
  readonly terms: SuppressionTerms;
  /** Ids of people whom the alerts that it came from name as the actor: they neither propose nor approve it. Absent: nobody is known. */
  readonly actors?: readonly string[];
}

export const longestSuppressionMs = 30 * 86_400_000;

export function workloadText({ namespace, kind, name }: SuppressionMatch['workload']): string {
  return `${kind.toLowerCase()}/${namespace}/${name}`;
}

function suppressionTitle({ match, upTo }: SuppressionTerms): string {
  return `alerts of “${match.rule}”, ${upTo} at worst, of ${workloadText(match.workload)}`;
}

/** What a vote approves: its digest covers every word of the terms. */
function suppressionPlan(terms: SuppressionTerms): Plan {
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
    // What is not named is not hidden: that is the safe side.
    outlivesForgetting: false,
    begun: `${title}: hidden until ${until}`,
    over: `${title}: no longer hidden`,
    nothing: 'nothing is hidden',
    onSilence: 'Nothing is hidden.',
    happened: {
      rule: match.rule,
      sensor: match.sensor ?? 'any sensor',
      at: from,
      count: 0,
      pod: workloadText(match.workload),
      image: match.digest,
    },
  };
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
export type UnsuppressibleReason = 'in doubt' | 'no workload' | 'guessed owner' | 'unknown pod' | 'unknown image';

/**
 * What would hide exactly alerts like this one. Only what the cluster itself has told for sure can be hidden: no guessed owner, no pod without
 * uid, nothing in doubt.
 */
export function matchOf(
  alert: Alert,
): Required<Omit<SuppressionMatch, 'exe'>> | { readonly unsuppressible: UnsuppressibleReason } {
  const { rule, sensor, workload, container, pod, doubt } = alert;
  if (doubt !== undefined) return { unsuppressible: 'in doubt' };
  if (!workload) return { unsuppressible: 'no workload' };
  if (workload.guessed) return { unsuppressible: 'guessed owner' };
  if (pod?.uid === undefined) return { unsuppressible: 'unknown pod' };
  if (!container?.digest) return { unsuppressible: 'unknown image' };
  const { namespace, kind, name } = workload;
  return { rule, workload: { namespace, kind, name }, digest: container.digest, sensor };
}

export function suppressionKeyOf(alert: Alert): string | undefined {
  const match = matchOf(alert);
  return 'unsuppressible' in match ? undefined : suppressionKey(match);
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
