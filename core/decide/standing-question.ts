import { offersRelease, releaseOf } from '../action/release-plan.ts';
import { standingQuestionText } from '../cards/card-words.ts';
import type { QuestionState } from '../incident/incident-state.ts';
import type { Choice, Question } from './approval.ts';

const prefix = 'lease:';

/** The answer that gives back what a lease is about. To extend or keep it takes nothing from anybody. */
export const releaseChoice = 'release';

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
    id === releaseChoice &&
    plans.length > 0 &&
    plans.every(({ action, weakens }) => action.startsWith('undo:') && weakens === true)
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

/**
 * The open question of a playbook that asks whether to give back what this standing question is about. While there is one, it is
 * released there and not here: people who answer the same thing in two places do not see each other's answers.
 */
export function askedElsewhere(standing: Question, questions: Iterable<QuestionState>): Question | undefined {
  const release = isOfLease(standing.id) ? releaseOf(standing) : undefined;
  if (release === undefined) return undefined;
  for (const { question, status } of questions)
    if (status.state === 'open' && !isOfLease(question.id) && offersRelease(question, release)) return question;
  return undefined;
}

/** Where to answer then. */
export function elsewhereText({ text }: Pick<Question, 'text'>): string {
  return `An open question decides whether this is released: “${text}” Answer that question.`;
}
