import type { Question } from '../decide/approval.ts';
import type { ReleasedObject } from '../incident/hold.ts';
import { digestOf } from '../text/digest.ts';
import { isObservedRelease, type Plan } from './plan.ts';

/**
 * The plan that releases the effect of a step, for people to approve. The cell derives it again from the step itself, and compares.
 * @param observed the pod is cut off again at the next alert
 */
export function releasePlanOf(plan: Plan, key: string, observed = false): Plan {
  const target = plan.target.name;
  return {
    action: `undo:${plan.action}`,
    effect: 'reversible',
    reach: plan.reach,
    weakens: true,
    ...(observed && { observed: true }),
    target: plan.target,
    changes: [
      { target, what: `restores what ${plan.action} changed` },
      ...(observed ? [{ target, what: 'is cut off again at the next alert about it within 24 hours' }] : []),
    ],
    blastRadius: plan.blastRadius,
    notes: [],
    inputDigest: digestOf({ key, input: plan.inputDigest }),
  };
}

/** Whether a plan releases this very step, and says everything about it that it should: only what it touches is not known yet. */
export function isReleaseOf(
  plan: Plan,
  { action, input, key }: { readonly action: string; readonly input: unknown; readonly key: string },
): boolean {
  const derived = releasePlanOf({ ...plan, action, inputDigest: digestOf(input) }, key, isObservedRelease(plan));
  return digestOf(plan) === digestOf(derived);
}

/** Which of the approved plans releases this: under observation, or for good. Undefined: none of them does. */
export function approvedReleaseIn(approved: readonly Plan[], release: Plan): Plan | undefined {
  return approved.find((plan) => nameOf(plan) === nameOf(release));
}

/** The name of a step's release, under which people's decisions about it are remembered. */
export function releaseIdOf({
  action,
  input,
  key,
}: {
  readonly action: string;
  readonly input: unknown;
  readonly key: string;
}): string {
  return nameOf({ action: `undo:${action}`, inputDigest: digestOf({ key, input: digestOf(input) }) });
}

/** The same for the only release that a question offers. Undefined if it offers none, or several. */
export function releaseOf({ choices }: Pick<Question, 'choices'>): string | undefined {
  const [release, ...others] = choices.flatMap(({ plans }) => plans);
  return release && others.length === 0 ? nameOf(release) : undefined;
}

/** Whether some answer to a question releases this, alone or together with other things. */
export function offersRelease({ choices }: Pick<Question, 'choices'>, release: string): boolean {
  return choices.some(({ plans }) => plans.some((plan) => nameOf(plan) === release));
}

function nameOf({ action, inputDigest }: Pick<Plan, 'action' | 'inputDigest'>): string {
  return `${action}\n${inputDigest}`;
}

/** Why a plan does not match what is to be released, by the cell's sealed notes on it; undefined if it does. */
export function problemOfRelease({ target, blastRadius, reach }: Plan, notes: readonly ReleasedObject[]): string | undefined {
  for (const { object, uid, terms } of notes) {
    if (object !== target.name && !blastRadius.includes(object)) return `${object} is not what people were shown`;
    if (object === target.name && target.uid !== undefined && uid !== undefined && uid !== target.uid)
      return `${object} is not the one that people were shown`;
    if (terms.reach !== reach) return `people were shown a release that reaches ${reach}, but it reaches ${terms.reach}`;
  }
  return undefined;
}
