import type { StoredButton } from '../../../core/cards/card.ts';
import type { CardStore } from '../../../core/cards/card-store.ts';
import { filledChoice } from '../../../core/cards/guarded-choice.ts';
import { type CardBeliefs, signedVotes } from '../../../core/cards/question-card.ts';
import { type Question, questionDigest } from '../../../core/decide/approval.ts';
import type { FormAnswers } from '../../../core/decide/form.ts';
import { isOfLease, isStandingQuestion } from '../../../core/decide/standing-question.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { IncidentRef } from '../../../core/incident/incident.ts';
import type { IncidentState, QuestionState } from '../../../core/incident/incident-state.ts';
import type { Person } from '../../../core/people/roster.ts';
import { shownOfLease, standingButton, stands } from '../slash/lease-answers.ts';
import { pageField, type ShownQuestion, shownOfCard, type TypedAnswer } from './answer-view.ts';

export type AnswerStore = Pick<CardStore, 'button' | 'buttonsOf' | 'card' | 'saveButtons'>;

/** A question that can be answered on a page, in its current form. */
export interface AskedOnPage {
  /** The stored button that represents the question. */
  readonly stand: StoredButton;
  readonly shown: ShownQuestion;
  /** The incident's state; absent while it does not answer. */
  readonly known: IncidentState | undefined;
  readonly current: QuestionState | undefined;
}

export interface AskedQuestions {
  /** Finds a question by the id of its stand-in. @throws FB_ERR_NOT_FOUND; FB_ERR_UNAVAILABLE if only the incident knows it and does not answer. */
  find(id: string): Promise<AskedOnPage>;
  /** Returns an answer as a button: that of the card, or of the standing question in its current form. @throws FB_ERR_NOT_FOUND */
  buttonOf(asked: AskedOnPage, choice: ShownQuestion['choices'][number]): Promise<StoredButton>;
}

/** Questions to be answered on a page of the desk or in the console: what the desk itself has shown, and the incident's current state of it. */
export function createAskedQuestions(parts: {
  readonly cards: AnswerStore;
  /** Keys that determine whose answers are shown as theirs. */
  readonly beliefs: CardBeliefs;
  /** Returns the incident's own state. @throws FB_ERR_UNAVAILABLE, FB_ERR_UNKNOWN_ID */
  readonly state: (incident: IncidentRef) => Promise<IncidentState>;
}): AskedQuestions {
  const { cards, beliefs, state } = parts;
  const nowhere = (): FirebreakError => new FirebreakError('FB_ERR_NOT_FOUND', 'There is no such page.');

  const find = async (id: string): Promise<AskedOnPage> => {
    const stand = /^b_[A-Za-z0-9_-]{24}$/.test(id) ? await cards.button(id) : undefined;
    if (!stand || !stands(stand)) throw nowhere();
    const ofLease = isOfLease(stand.question);
    const card = ofLease ? undefined : (await cards.card(stand.question))?.card;
    if (!ofLease && !card) throw nowhere();
    // The desk remembers enough of a card to have it answered. Only the incident knows what is asked about a lease.
    const known = await state(stand.incident).catch((error: unknown) => {
      if (ofLease) throw error;
      return undefined;
    });
    // Temporal may return a different question with the same id: that is not the one that was asked.
    const isAsked = (question: Question): boolean =>
      card ? questionDigest(question) === card.questionDigest : isStandingQuestion(question, stand.incident);
    const found = known?.questions.find(({ question }) => question.id === stand.question && isAsked(question));
    const current = found && { ...found, votes: signedVotes(found.votes, found.question, beliefs) };
    const shown = card ? shownOfCard(card) : known && current ? shownOfLease(known, current) : undefined;
    if (!shown) throw nowhere();
    return { stand, shown, known, current };
  };

  const buttonOf: AskedQuestions['buttonOf'] = async ({ stand, shown, current }, choice) => {
    const isLeases = isOfLease(stand.question) && current?.status.state === 'open';
    const button = isLeases
      ? standingButton(current.question, choice)
      : (await cards.buttonsOf(stand.question)).find((one) => one.choice === choice.id);
    // A further finding has joined the question in between.
    if (button?.questionDigest !== shown.digest)
      throw new FirebreakError('FB_ERR_NOT_FOUND', 'This answer is no longer available.');
    return button;
  };

  return { find, buttonOf };
}

/** What is wrong with an answer. `field`: `choice`, `person`, `reason`, `target`, or `form.NAME`. */
interface AnswerProblem {
  readonly field: string;
  readonly text: string;
}

function onPage({ field, text }: AnswerProblem, { form = {} }: ShownQuestion['choices'][number]): AnswerProblem {
  const label = form[field.replace(/^form\./, '')]?.label;
  // On a page the problems are listed together, so each names its field.
  return field.startsWith('form.') && label !== undefined ? { field, text: `${label}: ${text}` } : { field, text };
}

type ReadAnswer =
  | {
      readonly ok: true;
      readonly choice: ShownQuestion['choices'][number];
      readonly person: Person;
      readonly reason?: string;
      readonly answers?: FormAnswers;
    }
  | { readonly ok: false; readonly problems: readonly AnswerProblem[] };

/** Returns the submitted answer if it is complete; the requirements are the same as for a dialog in Slack. */
export function readAnswer(card: ShownQuestion, typed: TypedAnswer, people: readonly Person[]): ReadAnswer {
  const choice = card.choices.find(({ id }) => id === typed.choice);
  const person = people.find(({ id }) => id === typed.person);
  if (!choice || !person) {
    const problem = choice ? { field: 'person', text: 'Say who you are.' } : { field: 'choice', text: 'Choose an answer.' };
    return { ok: false, problems: [problem] };
  }
  const { reason, target } = typed;
  const filled = filledChoice({ reason, target, field: (name) => typed.form[pageField(choice.id, name)] }, card, choice);
  if (!filled.ok) return { ok: false, problems: filled.problems.map((problem) => onPage(problem, choice)) };
  const { answers, reason: why } = filled;
  return { ok: true, choice, person, ...(why !== undefined && { reason: why }), ...(answers && { answers }) };
}
