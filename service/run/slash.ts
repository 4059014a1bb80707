import type { Client } from '@temporalio/client';
import { questionDigest } from '../../core/approval.ts';
import type { StoredButton, SuppressionDraft } from '../../core/card.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { IncidentState, QuestionState } from '../../core/incident-state.ts';
import { answersFor, type Person, personBySlackId } from '../../core/roster.ts';
import { code, inline, linesUpTo } from '../../integrations/slack/text.ts';
import { controlState, incidentId, incidentState, type Session } from '../commands/connect.ts';
import { statusText } from '../commands/incident-text.ts';
import { rowsOf } from '../commands/incidents.ts';
import { leaseOf } from '../commands/lease.ts';
import type { Config } from '../config/load.ts';
import type { ClickVotes } from './click-votes.ts';
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
  readonly suppressions: Pick<SuppressionProposals, 'draft'>;
  readonly refused: (refusal: { readonly reason: string; readonly command: TypedCommand }) => void;
  readonly now?: () => number;
}

interface Asking {
  readonly session: Session;
  readonly person: Person;
  readonly command: TypedCommand;
  readonly options: SlashOptions;
  readonly now: number;
}

/** An incident is asked for its state one by one: of more than these nobody reads an answer on a telephone. */
const listed = 20;
const lookedThrough = 40;
const atOnce = 8;
const dialogWithinMs = 2_000;

const help = [
  '*/firebreak incidents*  the open incidents, newest first',
  '*/firebreak show ID*  one incident: what was done, what is asked, what happened last',
  '*/firebreak questions*  what waits for you',
  '*/firebreak release ID REASON*  give a containment back; on a critical incident two people must say so',
  '*/firebreak extend ID*  let a containment last for one more term',
  '*/firebreak suppress ID*  propose to hide alerts of this kind for a time; somebody else must agree',
  '*/firebreak whoami*  who you are to Firebreak, and what you may answer now',
  `ID is short for the incident: ${code('shop/Deployment/cart', 40)}. Only you see the answers.`,
].join('\n');

/** The answer is mrkdwn, escaped already; or a dialog. */
export type SlashAnswer = { readonly mrkdwn: string } | { readonly suppress: SuppressionDraft };

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
    const session: Session = { config, client: connected, close: async () => undefined };
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
        return await incidents(asking);
      case 'show':
        return await show(asking, rest);
      case 'questions':
        return await questions(asking);
      case 'release':
      case 'extend':
        return await lease(asking, word, rest);
      case 'suppress':
        return await suppress(asking, rest);
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

function shortId(id: string, { cluster }: Config): string {
  return id.replace(`incident/${cluster}/`, '');
}

async function incidents({ session }: Asking): Promise<string> {
  const rows = await rowsOf(session, { limit: listed });
  if (rows.length === 0) return 'No open incidents.';
  const lines = rows.map(
    ({ incident, severity, openedAt, rules }) =>
      `•  *${inline(severity, 20)}*  ${code(shortId(incident, session.config), 200)}  since ${openedAt.replace('T', ' ').slice(0, 16)} UTC: ${inline(rules.join(', '), 200)}`,
  );
  return linesUpTo([`*Open incidents*${rows.length === listed ? ` (the newest ${listed})` : ''}`, ...lines], 8_000);
}

function named(asking: Asking, rest: readonly string[]): string {
  const [written] = rest;
  if (written === undefined) throw new FirebreakError('FB_ERR_REFUSED', 'name the incident, such as shop/Deployment/cart');
  return incidentId(asking.session.config, written);
}

async function show(asking: Asking, rest: readonly string[]): Promise<string> {
  return incidentText(await incidentState(asking.session, { id: named(asking, rest) }));
}

/** One incident, mrkdwn; of its timeline the last `entries`. */
export function incidentText(state: IncidentState, entries = 60): string {
  const { severity, title, open, reached, verdict, total, steps, questions: asked, leases, evidence, timeline } = state;
  const active = leases.filter((one) => one.state === 'active' || one.state === 'permanent');
  return [
    `*${inline(severity.toUpperCase(), 20)}*  ${inline(title, 200)}  ·  ${open ? 'open' : 'closed'}, ${reached}, verdict ${verdict}`,
    `${total} ${total === 1 ? 'alert' : 'alerts'}, ${evidence.length} kept as evidence`,
    ...(steps.length === 0 ? [] : ['*Steps*']),
    ...steps.map((step) => `•  ${inline(`${step.action} on ${step.target}: ${step.state}`, 200)}`),
    ...(active.length === 0 ? [] : ['*In force*']),
    ...active.map((one) => `•  ${inline(`${one.action} on ${one.target.name}`, 200)}, ${untilText(one)}`),
    ...asked
      .filter(({ question }) => !question.id.startsWith('lease:'))
      .map((one) => `*Asked:* ${inline(one.question.text, 300)}  ·  ${inline(statusText(one), 200)}`),
    '*Timeline*',
    ...timeline.slice(-entries).map(({ at, kind, text }) => `${at.slice(11, 19)}  ${inline(`${kind}: ${text}`, 240)}`),
  ].join('\n');
}

function untilText({ state, until }: IncidentState['leases'][number]): string {
  return state === 'permanent' ? 'for good' : `until ${new Date(until).toISOString().replace('T', ' ').slice(0, 16)} UTC`;
}

/** Open questions that this person may answer now, here and above all incidents. */
async function questions(asking: Asking): Promise<string> {
  const { session, person, now } = asking;
  const { roster } = session.config;
  const rows = await rowsOf(session, { limit: lookedThrough });
  const states: (Pick<IncidentState, 'incident' | 'questions'> | undefined)[] = [
    await controlState(session).catch(() => undefined),
  ];
  for (let start = 0; start < rows.length; start += atOnce) {
    const some = rows
      .slice(start, start + atOnce)
      .map(({ incident }) => incidentState(session, { id: incident }).catch(() => undefined));
    states.push(...(await Promise.all(some)));
  }
  const mine = ({ question, status, level }: QuestionState): boolean => {
    const groups = question.levels.slice(0, level + 1).map(({ group }) => group);
    const without = [...(question.actors ?? []), question.requester.replace(/^person\//, '')];
    return (
      status.state === 'open' &&
      !question.id.startsWith('lease:') &&
      answersFor({ roster, person: person.id, groups, at: now, without }) !== undefined
    );
  };
  const lines = states.flatMap((state) =>
    (state?.questions ?? []).filter(mine).map(({ question, levelUntil, votes }) => {
      const said = votes.find(({ vote }) => vote.person === person.id);
      const answered = said ? `, you said ${code(said.vote.choice, 60)}` : '';
      return `•  ${inline(question.text, 300)}  ${code(shortId(state?.incident.id ?? '', session.config), 200)}, until ${levelUntil.slice(11, 16)} UTC${answered}`;
    }),
  );
  return lines.length === 0 ? 'Nothing waits for you.' : linesUpTo(['*What waits for you*', ...lines], 8_000);
}

/** A lease is a standing question: its answer is a vote like any other, signed by the desk and checked in the cell. */
async function lease(asking: Asking, choice: 'release' | 'extend', rest: readonly string[]): Promise<string> {
  const { session, command, options } = asking;
  const reason = rest.slice(1).join(' ');
  if (choice === 'release' && reason.length < 3) throw new FirebreakError('FB_ERR_REFUSED', 'say why: release ID REASON');
  const state = await incidentState(session, { id: named(asking, rest) });
  const button = leaseButton(state, choice);
  const { commandId: clickId, slackUser, channel } = command;
  const { text } = await options.votes.vote({ clickId, slackUser, channel, button, ...(reason === '' ? {} : { reason }) });
  return inline(text, 1_000);
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
  const id = `lease:${leaseOf(state, undefined)}`;
  const asked = state.questions.find(({ question, status }) => question.id === id && status.state === 'open');
  const found = asked?.question.choices.find((one) => one.id === choice);
  if (!asked || !found) throw new FirebreakError('FB_ERR_REFUSED', 'nobody is asked about this containment');
  const { question } = asked;
  return {
    buttonId: '',
    incident: question.incident,
    question: id,
    questionDigest: questionDigest(question),
    choice,
    label: found.label,
    groups: question.levels.map(({ group }) => group),
    requester: question.requester,
  };
}
