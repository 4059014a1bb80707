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

/** The menu entry whose random id stands for a question where there are no buttons. No choice has this name. */
const standsFor = ':details';

export function stands({ choice }: StoredButton): boolean {
  return choice === standsFor;
}

/** What stands for a lease's standing question. No card of it is posted, so it is made when it is first wanted, and stays the same then. */
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
      // It changes with each answer: the incident is asked for it when it is answered.
      questionDigest: '',
      choice: standsFor,
      label: standsFor,
      groups: [],
      requester: 'engine',
    },
  ]);
  return (await cards.buttonsOf(question)).find(stands);
}

/** Standing questions of this incident that are open now. */
export function openOfLeases({ questions }: Pick<IncidentState, 'questions'>, incident: IncidentRef): readonly QuestionState[] {
  return questions.filter(({ question, status }) => status.state === 'open' && isStandingQuestion(question, incident));
}

/** One answer to it, as if it were a button. */
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

/** A standing question as a page shows one that has a card: what each answer does is read in the question itself, of which the vote signs the digest. */
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
