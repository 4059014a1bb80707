import type { StoredButton } from '../../../core/cards/card.ts';
import { labelOf } from '../../../core/cards/choice-label.ts';
import { shownChoice, titleOfQuestion } from '../../../core/cards/question-card.ts';
import type { Choice, Question } from '../../../core/decide/approval.ts';
import { standingIdOf, standingText } from '../../../core/decide/standing-question.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import { isLeaseId } from '../../../core/incident/lease.ts';
import { linkText } from '../../../integrations/slack/views/link.ts';
import { inline } from '../../../integrations/slack/views/text.ts';
import { type LeaseChoice, leaseOf } from '../../commands/lease.ts';
import { incidentState } from '../../incidents/session.ts';
import { openOfLeases, standingButton } from './lease-answers.ts';
import { type Asking, incidentNamed } from './slash-asking.ts';
import { neededReason, reasonIn } from './slash-orders.ts';

/** A lease is a standing question: its answer is a vote like any other, signed by the desk and checked in the cell. */
export async function answerLease(asking: Asking, choice: LeaseChoice, rest: readonly string[]): Promise<string> {
  const { session, command, options } = asking;
  const [, second = '', ...words] = rest;
  const wanted = isLeaseId(second) ? second : undefined;
  const said = wanted === undefined ? rest.slice(1) : words;
  const reason = choice === 'release' ? neededReason(said, 'release ID REASON') : reasonIn(said);
  const state = await incidentState(session, { id: incidentNamed(asking, rest) });
  const { button, offered, asked } = leaseAnswer(state, choice, wanted);
  const { commandId: clickId, slackUser, channel } = command;
  const click = { clickId, slackUser, channel, button, ...(reason === undefined ? {} : { reason }) };
  if (!offered.stepUp) return inline((await options.votes.vote(click)).text, 1_000);
  const card = { text: standingText(asked), incident: titleOfQuestion(asked) };
  return linkText(await options.signIns.open(click, { card, choice: shownChoice(offered) }));
}

/** The answer to the one active lease's standing question, as if it were a button. @throws FB_ERR_REFUSED where there is not exactly one. */
export function leaseButton(state: IncidentState, choice: LeaseChoice): StoredButton {
  return leaseAnswer(state, choice).button;
}

function leaseAnswer(
  state: IncidentState,
  choice: LeaseChoice,
  wanted?: string,
): { readonly button: StoredButton; readonly offered: Choice; readonly asked: Question } {
  const id = standingIdOf(leaseOf(state, wanted));
  const asked = openOfLeases(state, state.incident).find(({ question }) => question.id === id);
  const found = asked?.question.choices.find((one) => one.id === choice);
  if (!asked || !found) throw new FirebreakError('FB_ERR_REFUSED', 'nobody is asked about this containment');
  const { question } = asked;
  return { button: standingButton(question, { id: found.id, label: labelOf(found) }), offered: found, asked: question };
}
