import type { Client } from '@temporalio/client';
import { type Choice, questionDigest } from '../../core/approval.ts';
import type { OrderDraft, StoredButton } from '../../core/card.ts';
import { FirebreakError } from '../../core/errors.ts';
import { podIn } from '../../core/incident-order.ts';
import type { IncidentState } from '../../core/incident-state.ts';
import { redactSecrets } from '../../core/redact.ts';
import { answersFor, type Person, personBySlackId } from '../../core/roster.ts';
import { safeUrl } from '../../integrations/slack/link.ts';
import { code, inline } from '../../integrations/slack/text.ts';
import { incidentId, incidentState, sessionOver } from '../commands/connect.ts';
import { leaseOf } from '../commands/lease.ts';
import type { Config } from '../config/load.ts';
import type { ClickVotes } from './click-votes.ts';
import { type IncidentOrders, slackStartedText } from './incident-orders.ts';
import { type RestraintOrders, restraintsText } from './restraint-orders.ts';
import type { SignIns } from './sign-ins-desk.ts';
import { incidentsText, incidentText, type Looking, questionsText } from './slash-look.ts';
import type { SuppressionProposals } from './suppression-proposals.ts';

/** One `/firebreak …` of somebody whom Slack vouches for. */
export interface TypedCommand {
  readonly commandId: string;
  readonly slackUser: string;
  readonly channel: string;
  readonly text: string;
}

export interface SlashOptions {
  readonly config: Config;
  /** Undefined while Temporal has not answered yet. */
  readonly client: () => Client | undefined;
  readonly votes: ClickVotes;
  readonly signIns: Pick<SignIns, 'open'>;
  readonly suppressions: Pick<SuppressionProposals, 'draft'>;
  readonly restraints: Pick<RestraintOrders, 'draft' | 'end'>;
  readonly incidents: Pick<IncidentOrders, 'start'>;
  readonly refused: (refusal: { readonly reason: string; readonly command: TypedCommand }) => void;
  readonly now?: () => number;
}

interface Asking extends Looking {
  readonly command: TypedCommand;
  readonly options: SlashOptions;
}

const dialogWithinMs = 2_000;

const help = [
  '*/firebreak incidents*  the open incidents, newest first',
  '*/firebreak show ID*  one incident: what was done, what is asked, what happened last',
  '*/firebreak questions*  what waits for you',
  '*/firebreak quarantine NAMESPACE/POD REASON*  cut a pod off at once; others decide what becomes of it',
  '*/firebreak release ID REASON*  give a containment back; on a critical incident two people must say so',
  '*/firebreak extend ID*  let a containment last for one more term',
  '*/firebreak suppress ID*  propose to hide alerts of this kind for a time; somebody else must agree',
  '*/firebreak freeze*  propose that nothing is done at once for a time: each step becomes a question',
  '*/firebreak observe*  propose that nothing is done at all for a time: each step becomes a plan on record',
  '*/firebreak unfreeze ID REASON*  end a freeze or an observe mode; without ID: what is in force',
  '*/firebreak whoami*  who you are to Firebreak, and what you may answer now',
  `ID is short for the incident: ${code('shop/Deployment/cart', 40)}. Only you see the answers.`,
].join('\n');

/** The answer is mrkdwn, escaped already; or a dialog. */
export type SlashAnswer = { readonly mrkdwn: string } | { readonly opens: OrderDraft };

/** What people ask and order in Slack without a card: the same as on the command line, by the same ways. Everybody else is refused. */
export function createSlash(options: SlashOptions): (command: TypedCommand) => Promise<SlashAnswer> {
  const { config, client, refused, now = Date.now } = options;
  return async (command) => {
    const person = personBySlackId(config.roster, command.slackUser);
    if (!person) {
      refused({ reason: 'not on the roster', command });
      return { mrkdwn: 'You are not on the roster, so Firebreak tells you nothing here. It is on the record.' };
    }
    const connected = client();
    const [word = 'help', ...rest] = command.text.split(/\s+/).filter((part) => part !== '');
    if (word === 'help') return { mrkdwn: help };
    if (word === 'whoami') return { mrkdwn: whoami(person, config, now()) };
    if (!connected) return { mrkdwn: 'Temporal does not answer yet. Please try again in a moment.' };
    const session = sessionOver(config, connected);
    const asking: Asking = { session, person, command, options, now: now() };
    const answer = await answerTo(word, rest, asking);
    return typeof answer === 'string' ? { mrkdwn: answer } : answer;
  };
}

async function answerTo(
  word: string,
  rest: readonly string[],
  asking: Asking,
): Promise<string | Exclude<SlashAnswer, { mrkdwn: string }>> {
  try {
    switch (word) {
      case 'incidents':
        return await incidentsText(asking);
      case 'show':
        return await show(asking, rest);
      case 'questions':
        return await questionsText(asking);
      case 'release':
      case 'extend':
        return await lease(asking, word, rest);
      case 'suppress':
        return await suppress(asking, rest);
      case 'freeze':
      case 'observe':
        return { opens: asking.options.restraints.draft(asking.person, word) };
      case 'quarantine':
        return await quarantine(asking, rest);
      case 'unfreeze':
        return await unfreeze(asking, rest);
      default:
        return `Firebreak does not know ${code(word, 40)}.\n${help}`;
    }
  } catch (error) {
    if (error instanceof FirebreakError) return inline(`${error.detail} (${error.code})`, 500);
    throw error;
  }
}

function whoami(person: Person, { roster }: Config, now: number): string {
  const groups = Object.keys(roster.groups);
  const may = groups.filter((group) => answersFor({ roster, person: person.id, groups: [group], at: now }) !== undefined);
  return [
    `You are *${inline(person.name, 100)}* (${code(person.id, 60)}).`,
    may.length === 0
      ? 'You may answer for no group now.'
      : `You may answer for ${may.map((group) => code(group, 60)).join(', ')} now.`,
    ...(person.keys.length === 0 ? ['You have no key for the command line.'] : []),
  ].join('\n');
}

function named(asking: Asking, rest: readonly string[]): string {
  const [written] = rest;
  if (written === undefined) throw new FirebreakError('FB_ERR_REFUSED', 'name the incident, such as shop/Deployment/cart');
  return incidentId(asking.session.config, written);
}

async function show(asking: Asking, rest: readonly string[]): Promise<string> {
  return incidentText(await incidentState(asking.session, { id: named(asking, rest) }));
}

/** A lease is a standing question: its answer is a vote like any other, signed by the desk and checked in the cell. */
async function lease(asking: Asking, choice: 'release' | 'extend', rest: readonly string[]): Promise<string> {
  const { session, command, options } = asking;
  const reason = rest.slice(1).join(' ');
  if (choice === 'release' && reason.length < 3) throw new FirebreakError('FB_ERR_REFUSED', 'say why: release ID REASON');
  const state = await incidentState(session, { id: named(asking, rest) });
  const { button, offered, asked } = leaseAnswer(state, choice);
  const { commandId: clickId, slackUser, channel } = command;
  const click = { clickId, slackUser, channel, button, ...(reason === '' ? {} : { reason }) };
  if (!offered.stepUp) return inline((await options.votes.vote(click)).text, 1_000);
  const [changes, notes] = [
    offered.plans.flatMap((plan) => plan.changes.map(({ what }) => what)),
    offered.plans.flatMap((plan) => plan.notes),
  ];
  const shown = { label: offered.label, changes, blastRadius: offered.plans.flatMap((plan) => plan.blastRadius), notes };
  const { text, link } = await options.signIns.open(click, { card: { text: asked, incident: state }, choice: shown });
  return link === undefined ? inline(text, 1_000) : `${inline(text, 1_000)}\n<${safeUrl(link)}|Sign in and decide>`;
}

/** Strengthening: one person is enough, and it is told at once. Without a reason, the dialog asks for what is missing. */
async function quarantine(asking: Asking, [written, ...words]: readonly string[]): ReturnType<typeof answerTo> {
  const { session, person, command, options } = asking;
  const reason = redactSecrets(words.filter((word, place) => place > 0 || word !== '--reason').join(' ')).slice(0, 500);
  const pod = podIn(written ?? '');
  if (!pod || reason.length < 3) {
    const named = written === undefined ? {} : { pod: written };
    return { opens: { wish: 'quarantine', cluster: session.config.cluster, owner: person.name, ...named } };
  }
  const terms = { wish: 'quarantine', pod, severity: 'critical', reason } as const;
  const { incident } = await options.incidents.start({ session, person, from: command.commandId, terms });
  return inline(slackStartedText(incident, terms), 1_000);
}

/** Strengthening: one person is enough. */
async function unfreeze(asking: Asking, [id, ...words]: readonly string[]): Promise<string> {
  const { session, person, options } = asking;
  if (id === undefined) return restraintsText(session);
  const reason = redactSecrets(words.join(' '));
  if (reason.length < 3) throw new FirebreakError('FB_ERR_REFUSED', 'say why: unfreeze ID REASON');
  return options.restraints.end({ session, person, id, reason: reason.slice(0, 500) });
}

/** A dialog, or why there is none. It must be open 3 s after the command. */
async function suppress(asking: Asking, rest: readonly string[]): ReturnType<typeof answerTo> {
  const { session, person, options } = asking;
  const id = named(asking, rest);
  const state = await session.client.withDeadline(Date.now() + dialogWithinMs, () => incidentState(session, { id }));
  const answer = await options.suppressions.draft({ person, state });
  return 'text' in answer
    ? answer.text
        .split('\n')
        .map((line) => inline(line, 500))
        .join('\n')
    : answer;
}

/** The answer to the one active lease's standing question, as if it were a button. @throws FB_ERR_REFUSED where there is not exactly one. */
export function leaseButton(state: IncidentState, choice: 'release' | 'extend'): StoredButton {
  return leaseAnswer(state, choice).button;
}

function leaseAnswer(
  state: IncidentState,
  choice: 'release' | 'extend',
): { readonly button: StoredButton; readonly offered: Choice; readonly asked: string } {
  const id = `lease:${leaseOf(state, undefined)}`;
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
