import { offersRelease, releaseOf } from '../action/release-plan.ts';
import { standingQuestionText } from '../cards/card-words.ts';
import type { QuestionState } from '../incident/incident-state.ts';
import type { Choice, Question } from './approval.ts';

const prefix = 'lease:';

/** The answer that releases what a lease is about. Extending or keeping it takes nothing from anybody. */
export const releaseChoice = 'release';

/** Returns the id of the standing question about a lease. */
export function standingIdOf(lease: string): string {
  return `${prefix}${lease}`;
}

/** Returns the id of the lease that a standing question is about. */
export function leaseOfStanding(question: string): string {
  return question.slice(prefix.length);
}

export function isOfLease(question: string): boolean {
  return question.startsWith(prefix);
}

function doesAsItSays({ id, plans, harmless }: Choice): boolean {
  if (harmless) return false;
  if (id === 'extend' || id === 'keep') return plans.length === 0;
  return (
    id === releaseChoice &&
    plans.length > 0 &&
    plans.every(({ action, weakens }) => action.startsWith('undo:') && weakens === true)
  );
}

/**
 * Returns whether this is the standing question of an incident's lease, and each of its choices does what its name says. People who extend or release with a
 * word do not read a plan first: what Temporal returns may be another question, and is signed only if it cannot be one.
 */
export function isStandingQuestion(question: Question, { id, run }: { readonly id: string; readonly run?: string }): boolean {
  const { incident, choices } = question;
  const isOfIncident = incident.id === id && (run === undefined || incident.run === run);
  return isOfIncident && isOfLease(question.id) && choices.every(doesAsItSays);
}

/** Returns what is asked, from the plan that a vote for the release covers, and not from the text that came through Temporal. */
export function standingText({ text, choices }: Question): string {
  const plan = choices.flatMap(({ plans }) => plans)[0];
  return plan ? standingQuestionText({ action: plan.action.replace(/^undo:/, ''), target: plan.target }) : text;
}

/**
 * Returns the open question of a playbook that asks whether to release what this standing question is about. While there is one, it is released there and not
 * here: people who answer the same thing in two places do not see each other's answers.
 */
export function askedElsewhere(standing: Question, questions: Iterable<QuestionState>): Question | undefined {
  const release = isOfLease(standing.id) ? releaseOf(standing) : undefined;
  if (release === undefined) return undefined;
  for (const { question, status } of questions)
    if (status.state === 'open' && !isOfLease(question.id) && offersRelease(question, release)) return question;
  return undefined;
}

/** Returns where to answer then. */
export function elsewhereText({ text }: Pick<Question, 'text'>): string {
  return `An open question decides whether this is released: “${text}” Answer that question.`;
}
