import { worse } from '../../../core/alert/severity.ts';
import type { StoredButton } from '../../../core/cards/card.ts';
import type { LeaseDraft } from '../../../core/cards/card-store.ts';
import { labelOf } from '../../../core/cards/choice-label.ts';
import { isGuarded } from '../../../core/cards/guarded-choice.ts';
import { shownChoice, titleOfQuestion } from '../../../core/cards/question-card.ts';
import { type Choice, questionDigest } from '../../../core/decide/approval.ts';
import {
  askedElsewhere,
  elsewhereText,
  releaseChoice,
  standingIdOf,
  standingText,
} from '../../../core/decide/standing-question.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { IncidentRef } from '../../../core/incident/incident.ts';
import type { IncidentState, QuestionState } from '../../../core/incident/incident-state.ts';
import { isLeaseId } from '../../../core/incident/lease.ts';
import { digestOf, sha256Hex } from '../../../core/text/digest.ts';
import type { LinkAnswer } from '../../../integrations/slack/door/arrived.ts';
import type { SlackLeaseAnswer } from '../../../integrations/slack/door/order-dialogs.ts';
import { linkText } from '../../../integrations/slack/views/link.ts';
import { inline } from '../../../integrations/slack/views/text.ts';
import { type LeaseChoice, leaseOf } from '../../incidents/lease.ts';
import { incidentState } from '../../incidents/session.ts';
import { openOfLeases, standingButton } from './lease-answers.ts';
import { incidentNamed, type SlashOptions, type SlashReply, type SlashRequest } from './slash-asking.ts';
import { reasonIn } from './slash-orders.ts';

/**
 * A lease is a standing question: its answer is a vote like any other, signed by the desk and checked in the cell. An answer that would weaken the response is
 * signed only after its dialog is submitted, as with a button.
 */
export async function answerLease(asking: SlashRequest, choice: LeaseChoice, rest: readonly string[]): Promise<SlashReply> {
  const { session, command, options } = asking;
  const [, second = '', ...words] = rest;
  const wanted = isLeaseId(second) ? second : undefined;
  const said = wanted === undefined ? rest.slice(1) : words;
  const reason = reasonIn(said);
  const state = await incidentState(session, { id: incidentNamed(asking, rest) });
  const { button, offered, asked } = leaseAnswer(state, choice, wanted);
  const { commandId: clickId, slackUser, channel } = command;
  const click = { clickId, slackUser, channel, button, ...(reason === undefined ? {} : { reason }) };
  const shown = shownChoice(offered);
  if (isGuarded(shown)) {
    const { refusal } = await options.votes.mayAnswer(click);
    return refusal === undefined ? { opens: draftOf(state, asked, button, shown, reason) } : inline(refusal, 1_000);
  }
  if (!offered.stepUp) return inline((await options.votes.vote(click)).text, 1_000);
  const card = { text: standingText(asked.question), incident: titleOfQuestion(asked.question) };
  return linkText(await options.signIns.open(click, { card, choice: shown }));
}

/** The content of an answer's dialog, and what is signed when it is submitted. */
export function draftOf(
  state: IncidentState,
  asked: QuestionState,
  button: StoredButton,
  choice: LeaseDraft['choice'],
  reason: string | undefined,
): LeaseDraft {
  const { question, votes } = asked;
  const severity = worse(question.severity, state.severity);
  const said = votes.map(({ vote }) => ({ person: vote.person, choice: vote.choice, at: vote.at }));
  const card = {
    text: standingText(question),
    incident: { ...question.incident, ...titleOfQuestion(question), severity },
    votes: said,
  };
  return { button, card, choice, ...(reason === undefined ? {} : { typed: reason }) };
}

/** The result of a dialog about a lease: a vote on the question that it showed, as long as that is still open. */
export function createLeaseAnswers(
  options: Pick<SlashOptions, 'votes' | 'signIns'> & {
    /** Undefined while Temporal has not answered yet. */
    readonly stateOf: (incident: IncidentRef) => Promise<IncidentState | undefined>;
  },
) {
  const { stateOf, votes, signIns } = options;
  return async ({ dialogId, slackUser, channel, draft, reason }: SlackLeaseAnswer): Promise<LinkAnswer> => {
    const { button, card, choice } = draft;
    const state = await stateOf(button.incident);
    if (!state) return { text: 'Temporal does not answer yet. Nothing was decided; try again in a moment.' };
    const asked = openOfLeases(state, button.incident).find(({ question }) => question.id === button.question);
    const offered = asked?.question.choices.find(({ id }) => id === button.choice);
    // Only what was shown is signed: the question may have been asked again while the dialog was open.
    if (
      !asked ||
      !offered ||
      digestOf(shownChoice(offered)) !== digestOf(choice) ||
      questionDigest(asked.question) !== button.questionDigest
    )
      return {
        text: 'The question about this containment is no longer the one that the dialog showed. Nothing was decided; order it again.',
      };
    const elsewhere = offered.id === releaseChoice ? askedElsewhere(asked.question, state.questions) : undefined;
    if (elsewhere) return { text: inline(elsewhereText(elsewhere), 1_000) };
    const click = { clickId: `click-${sha256Hex(`dialog ${dialogId}`).slice(0, 32)}`, slackUser, channel, button, reason };
    return offered.stepUp ? signIns.open(click, { card, choice }) : votes.vote(click);
  };
}

/** Returns the answer to the standing question of the only active lease, in the form of a button. @throws FB_ERR_REFUSED unless there is exactly one. */
export function leaseButton(state: IncidentState, choice: LeaseChoice): StoredButton {
  return leaseAnswer(state, choice).button;
}

function leaseAnswer(
  state: IncidentState,
  choice: LeaseChoice,
  wanted?: string,
): { readonly button: StoredButton; readonly offered: Choice; readonly asked: QuestionState } {
  const id = standingIdOf(leaseOf(state, wanted));
  const asked = openOfLeases(state, state.incident).find(({ question }) => question.id === id);
  const found = asked?.question.choices.find((one) => one.id === choice);
  if (!asked || !found) throw new FirebreakError('FB_ERR_REFUSED', 'there is no open question about this containment');
  const { question } = asked;
  const elsewhere = choice === releaseChoice ? askedElsewhere(question, state.questions) : undefined;
  if (elsewhere) throw new FirebreakError('FB_ERR_REFUSED', elsewhereText(elsewhere));
  return { button: standingButton(question, { id: found.id, label: labelOf(found) }), offered: found, asked };
}
