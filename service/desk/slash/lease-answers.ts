import { randomBytes } from 'node:crypto';
import { worse } from '../../../core/alert/severity.ts';
import { heldEffects, type StoredButton } from '../../../core/cards/card.ts';
import type { CardStore } from '../../../core/cards/card-store.ts';
import { shownChoice, titleOfQuestion } from '../../../core/cards/question-card.ts';
import { type Question, questionDigest } from '../../../core/decide/approval.ts';
import {
  askedElsewhere,
  elsewhereText,
  isStandingQuestion,
  releaseChoice,
  standingText,
} from '../../../core/decide/standing-question.ts';
import type { IncidentRef } from '../../../core/incident/incident.ts';
import type { IncidentState, QuestionState } from '../../../core/incident/incident-state.ts';
import type { ShownQuestion } from '../pages/answer-view.ts';

/** The menu entry whose random id represents a question without buttons. No choice has this name. */
const standsFor = ':details';

export function stands({ choice }: StoredButton): boolean {
  return choice === standsFor;
}

/** The stand-in for a lease's standing question. No card is posted for it, so it is created when first needed, and then stays the same. */
export async function leaseStand(
  cards: Pick<CardStore, 'saveButtons' | 'buttonsOf'>,
  incident: IncidentRef,
  question: string,
): Promise<StoredButton | undefined> {
  const known = (await cards.buttonsOf(question)).find(stands);
  const { id, run } = incident;
  if (known) return known.incident.id === id ? known : undefined;
  await cards.saveButtons([
    {
      buttonId: `b_${randomBytes(18).toString('base64url')}`,
      incident: { id, run },
      question,
      // It changes with each answer, so the incident is asked for it at the time of the answer.
      questionDigest: '',
      choice: standsFor,
      label: standsFor,
      groups: [],
      requester: 'engine',
    },
  ]);
  return (await cards.buttonsOf(question)).find(stands);
}

/** The currently open standing questions of this incident. */
export function openOfLeases({ questions }: Pick<IncidentState, 'questions'>, incident: IncidentRef): readonly QuestionState[] {
  return questions.filter(({ question, status }) => status.state === 'open' && isStandingQuestion(question, incident));
}

/** One answer to it, in the form of a button. */
export function standingButton(question: Question, choice: { readonly id: string; readonly label: string }): StoredButton {
  const { id, incident, levels, requester } = question;
  return {
    buttonId: '',
    incident,
    question: id,
    questionDigest: questionDigest(question),
    choice: choice.id,
    label: choice.label,
    groups: levels.map(({ group }) => group),
    requester,
  };
}

/**
 * A standing question in the form in which a page shows one with a card: the effect of each answer comes from the question itself, whose digest the vote signs.
 */
export function shownOfLease(state: IncidentState, asked: QuestionState): ShownQuestion {
  const { question, level } = asked;
  const { severity, counts, leases, steps, evidence, questions } = state;
  const elsewhere = askedElsewhere(question, questions);
  const offered = elsewhere ? question.choices.filter(({ id }) => id !== releaseChoice) : question.choices;
  return {
    incident: { ...titleOfQuestion(question), severity: worse(question.severity, severity) },
    digest: questionDigest(question),
    text: elsewhere ? `${standingText(question)} ${elsewhereText(elsewhere)}` : standingText(question),
    happened: counts.map(
      ({ rule, pod, count, firstSeen, lastSeen }) =>
        `${rule}${pod === undefined ? '' : `, ${pod}`}: ${count} ${count === 1 ? `time, ${lastSeen}` : `times, ${firstSeen} to ${lastSeen}`}`,
    ),
    contained: leases.flatMap((lease) =>
      heldEffects(
        lease,
        steps.find(({ key }) => key === lease.stepKey),
      ),
    ),
    evidence: evidence.flatMap((ref) => ref.artefacts.map(({ name, sha256, bytes }) => ({ name, sha256, bytes }))),
    choices: offered.map((choice) => shownChoice(choice)),
    onSilence: question.onSilence,
    level: { group: question.levels[level]?.group ?? 'nobody', until: asked.levelUntil },
  };
}
