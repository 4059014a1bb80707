import { standingQuestionText } from '../cards/card-words.ts';
import type { Choice, Question } from './approval.ts';

const prefix = 'lease:';

/** Id of the standing question about a lease. */
export function standingIdOf(lease: string): string {
  return `${prefix}${lease}`;
}

export function isOfLease(question: string): boolean {
  return question.startsWith(prefix);
}

function doesAsItSays({ id, plans, harmless }: Choice): boolean {
  if (harmless) return false;
  if (id === 'extend' || id === 'keep') return plans.length === 0;
  return (
    id === 'release' && plans.length > 0 && plans.every(({ action, weakens }) => action.startsWith('undo:') && weakens === true)
  );
}

/**
 * Whether this is the standing question of an incident's lease, and each of its choices does what its name says. Who extends or releases by a
 * word reads no plan before: what Temporal answers may be another question, and is signed only where it cannot be one.
 */
export function isStandingQuestion(question: Question, { id, run }: { readonly id: string; readonly run?: string }): boolean {
  const { incident, choices } = question;
  const isOfIncident = incident.id === id && (run === undefined || incident.run === run);
  return isOfIncident && isOfLease(question.id) && choices.every(doesAsItSays);
}

/** What is asked, by the plan that a vote for the release covers, and not by the text that Temporal has brought. */
export function standingText({ text, choices }: Question): string {
  const plan = choices.flatMap(({ plans }) => plans)[0];
  return plan ? standingQuestionText({ action: plan.action.replace(/^undo:/, ''), target: plan.target }) : text;
}
