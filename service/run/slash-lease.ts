import { type Choice, questionDigest } from '../../core/approval.ts';
import type { StoredButton } from '../../core/card.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { IncidentState } from '../../core/incident-state.ts';
import { safeUrl } from '../../integrations/slack/link.ts';
import { inline } from '../../integrations/slack/text.ts';
import { incidentState } from '../commands/connect.ts';
import { type LeaseChoice, leaseOf } from '../commands/lease.ts';
import { type Asking, incidentNamed } from './slash-asking.ts';
import { neededReason, reasonIn } from './slash-orders.ts';

/** A lease is a standing question: its answer is a vote like any other, signed by the desk and checked in the cell. */
export async function answerLease(asking: Asking, choice: LeaseChoice, rest: readonly string[]): Promise<string> {
  const { session, command, options } = asking;
  const [, second = '', ...words] = rest;
  const wanted = /^[0-9a-f]{16}$/.test(second) ? second : undefined;
  const said = wanted === undefined ? rest.slice(1) : words;
  const reason = choice === 'release' ? neededReason(said, 'release ID REASON') : reasonIn(said);
  const state = await incidentState(session, { id: incidentNamed(asking, rest) });
  const { button, offered, asked } = leaseAnswer(state, choice, wanted);
  const { commandId: clickId, slackUser, channel } = command;
  const click = { clickId, slackUser, channel, button, ...(reason === undefined ? {} : { reason }) };
  if (!offered.stepUp) return inline((await options.votes.vote(click)).text, 1_000);
  const [changes, notes] = [
    offered.plans.flatMap((plan) => plan.changes.map(({ what }) => what)),
    offered.plans.flatMap((plan) => plan.notes),
  ];
  const shown = { label: offered.label, changes, blastRadius: offered.plans.flatMap((plan) => plan.blastRadius), notes };
  const { text, link } = await options.signIns.open(click, { card: { text: asked, incident: state }, choice: shown });
  return link === undefined ? inline(text, 1_000) : `${inline(text, 1_000)}\n<${safeUrl(link)}|Sign in and decide>`;
}

/** The answer to the one active lease's standing question, as if it were a button. @throws FB_ERR_REFUSED where there is not exactly one. */
export function leaseButton(state: IncidentState, choice: LeaseChoice): StoredButton {
  return leaseAnswer(state, choice).button;
}

function leaseAnswer(
  state: IncidentState,
  choice: LeaseChoice,
  wanted?: string,
): { readonly button: StoredButton; readonly offered: Choice; readonly asked: string } {
  const id = `lease:${leaseOf(state, wanted)}`;
  const asked = state.questions.find(({ question, status }) => question.id === id && status.state === 'open');
  const found = asked?.question.choices.find((one) => one.id === choice);
  if (!asked || !found) throw new FirebreakError('FB_ERR_REFUSED', 'nobody is asked about this containment');
  const { question } = asked;
  const button: StoredButton = {
    buttonId: '',
    incident: question.incident,
    question: id,
    questionDigest: questionDigest(question),
    choice,
    label: found.label,
    groups: question.levels.map(({ group }) => group),
    requester: question.requester,
  };
  return { button, offered: found, asked: question.text };
}
