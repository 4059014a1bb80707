import type { KnownBlock } from '@slack/types';
import type { Severity } from '../../../core/alert/severity.ts';
import type { QuestionCard, StoredButton } from '../../../core/cards/card.ts';
import { answersText, type FormAnswers } from '../../../core/decide/form.ts';
import { shortIncidentId, type Verdict } from '../../../core/incident/incident.ts';
import type { Similar } from '../../../core/incident/similar.ts';
import type { WorkloadLeft } from '../../../core/incident/workload-left.ts';
import { context, section, slackLimits } from './blocks.ts';
import { rows } from './buttons.ts';
import { safeUrl } from './link.ts';
import { code, inline, linesUpTo, localTime, plain, preformatted, sizeText, utc } from './text.ts';

/** Of those who may answer: on a telephone, more are a number. */
const namedPeople = 6;

/** Of Services, budgets and Secrets each. */
const namedObjects = 6;

/** Choices that get a section of their own; more are listed together. Every choice gets its button. */
const describedChoices = 20;

export const severityIcons: Readonly<Record<Severity, string>> = {
  critical: '🔴',
  high: '🟠',
  medium: '🟡',
  low: '🔵',
  info: '⚪',
  unknown: '⚪',
};

type Choice = QuestionCard['choices'][number];

export interface RenderedMessage {
  /** What the phone's notification shows: target, state and deadline are in it. */
  readonly text: string;
  readonly blocks: KnownBlock[];
}

/**
 * The card that the on-call decides by. Pure. `buttons` are those stored for the question; one is shown for each choice, in the choices'
 * order, while the question is open. All texts of the card are taken for the attacker's.
 */
export function questionBlocks(
  card: QuestionCard,
  { buttons, threadUrl }: { readonly buttons: readonly StoredButton[]; readonly threadUrl?: string },
): RenderedMessage {
  for (const scale of [1, 0.5, 0.2, 0.08]) {
    const blocks = blocksAt({ card, buttons, threadUrl, scale });
    if (JSON.stringify(blocks).length <= slackLimits.message || scale === 0.08) return { text: notification(card), blocks };
  }
  throw new TypeError('unreachable');
}

function blocksAt({
  card,
  buttons,
  threadUrl,
  scale,
}: {
  readonly card: QuestionCard;
  readonly buttons: readonly StoredButton[];
  readonly threadUrl: string | undefined;
  readonly scale: number;
}): KnownBlock[] {
  const size = (characters: number) => Math.max(80, Math.floor(characters * scale));
  const own = card.choices.slice(0, describedChoices);
  const others = card.choices.slice(describedChoices);
  const perChoice = size(Math.min(1_500, Math.floor(4_500 / Math.max(1, own.length))));
  return [
    context([
      `${severityIcons[card.incident.severity]} *${card.incident.severity.toUpperCase()}*`,
      inline(card.incident.title, 120),
      `cluster ${code(card.incident.cluster, 60)}`,
      ...(threadUrl === undefined ? [] : [`<${safeUrl(threadUrl)}|Incident thread>`]),
    ]),
    { type: 'header', text: { type: 'plain_text', text: plain(card.text, slackLimits.header), emoji: false } },
    ...(card.text.length > slackLimits.header - 40 ? [section(inline(card.text, size(1_500)))] : []),
    section(happened(card, size)),
    section(contained(card, size(1_200))),
    ...(card.left === undefined ? [] : [section(left(card.left, size(600)))]),
    section(evidence(card, size(900))),
    ...(card.ticketNews === undefined ? [] : [context([`Ticket: ${inline(card.ticketNews, size(400))}`])]),
    ...(card.similar ? [section(similarText(card.similar, card.incident.cluster, size(700)))] : []),
    { type: 'divider' },
    ...own.map((choice, index) =>
      section(choiceText({ choice, number: index + 1, said: saidFor(card, choice), max: perChoice })),
    ),
    ...(others.length === 0
      ? []
      : [
          section(
            linesUpTo(
              others.map((choice, index) => choiceTitle(choice, describedChoices + index + 1)),
              size(2_000),
            ),
          ),
        ]),
    ...(card.votes.length === 0 ? [] : [section(votes(card, size(900)))]),
    ...ending(card, buttons),
  ];
}

function happened({ happened: what }: QuestionCard, size: (characters: number) => number): string {
  const times = what.count > 1 ? `, ${what.count} times` : '';
  const line = (name: string, value: string | undefined) => (value === undefined ? [] : [`${name} ${code(value, size(250))}`]);
  return [
    `*What happened*\n${code(what.rule, size(200))} (${inline(what.sensor, 40)}) ${localTime(what.at)}${times}`,
    ...(what.doubt === undefined ? [] : [`⚠️ *In doubt*: ${inline(what.doubt, size(300))}`]),
    ...(what.novelty === undefined ? [] : [inline(what.novelty, size(400))]),
    ...line('Pod', what.pod),
    ...line('Image', what.image),
    ...(what.signature === undefined ? [] : [`Image: ${inline(what.signature, size(300))}`]),
    ...(what.rollout ? [rolloutText(what.rollout)] : []),
    ...line('Process', what.process),
    ...(what.commandLine === undefined ? [] : [preformatted(what.commandLine, size(700))]),
  ].join('\n');
}

function rolloutText({ revision, at }: NonNullable<QuestionCard['happened']['rollout']>): string {
  const when = at === undefined ? 'an older one, rolled out again' : localTime(at);
  return `Last deploy: revision ${code(revision, 20)}, ${when}`;
}

function contained(card: QuestionCard, max: number): string {
  if (card.contained.length === 0) return '*Contained*\nNothing yet: the workload runs as before.';
  const lines = card.contained.map((one) => {
    const until = one.until === undefined ? 'until somebody releases it' : `until ${localTime(one.until)}`;
    return `•  ${inline(one.what, Math.floor(max / 2))}, since ${localTime(one.since)}, ${until}`;
  });
  return linesUpTo(['*Contained*', ...lines], max);
}

/** What a yes would cost. */
function left({ workload, ready, pods, services, budgets, secrets, at }: WorkloadLeft, max: number): string {
  const named = (names: readonly string[]): string => {
    const shown = names
      .slice(0, namedObjects)
      .map((name) => code(name, 60))
      .join(', ');
    return names.length > namedObjects ? `${shown} and ${names.length - namedObjects} more` : shown;
  };
  const line = (what: string, names: readonly string[] | undefined) =>
    names === undefined ? [] : [`${what}: ${names.length === 0 ? 'none' : named(names)}`];
  const count = pods === 0 ? '⚠️ *no pod* is left' : `*${ready} of ${pods}* ${pods === 1 ? 'pod' : 'pods'} ready`;
  return linesUpTo(
    [
      `*Left of ${inline(workload, 150)}*`,
      `${count}, ${localTime(at)}`,
      ...line('Services', services),
      ...line('Disruption budgets', budgets),
      ...line('Secrets', secrets),
    ],
    max,
  );
}

function evidence(card: QuestionCard, max: number): string {
  if (card.evidence.length === 0) return '*Evidence*\nNone kept yet.';
  const lines = card.evidence.map(
    (one) => `•  ${inline(one.name, 100)}, ${sizeText(one.bytes)}, SHA-256 ${code(one.sha256.slice(0, 12), 16)}`,
  );
  return linesUpTo([`*Evidence kept* (${card.evidence.length})`, ...lines], max);
}

/** `said`: how many people have chosen it by now. */
export function choiceTitle(choice: Choice, number: number, said = 0): string {
  const soFar = said > 0 ? `, ${said} so far` : '';
  const needs = choice.quorum > 1 ? `needs ${choice.quorum} people${soFar}` : 'needs one person';
  const signIn = choice.stepUp ? '  ·  needs a sign-in' : '';
  const warning = choice.destructive ? '  ·  ⚠️ cannot be undone' : choice.weakens ? '  ·  ⚠️ weakens the response' : '';
  return `*${number}. ${inline(choice.label, 100)}*  ·  ${needs}${signIn}${warning}`;
}

function choiceText({
  choice,
  number,
  said,
  max,
}: {
  readonly choice: Choice;
  readonly number: number;
  readonly said: number;
  readonly max: number;
}): string {
  const changes =
    choice.changes.length === 0 ? ['Changes nothing.'] : choice.changes.map((change) => `•  ${inline(change, 200)}`);
  const reach =
    choice.blastRadius.length === 0 ? [] : [`Touches ${choice.blastRadius.map((target) => code(target, 120)).join(', ')}`];
  const notes = choice.notes.map((note) => `_Note:_ ${inline(note, 200)}`);
  const touched = reach.filter((line) => line.length <= max / 2);
  const short = reach.length > touched.length ? [`Touches ${choice.blastRadius.length} objects; the thread lists them`] : [];
  return linesUpTo([choiceTitle(choice, number, said), ...changes, ...touched, ...short, ...notes], Math.max(max, 250));
}

function saidFor({ votes, status }: QuestionCard, { id }: Choice): number {
  return status.state === 'open' ? votes.filter(({ choice }) => choice === id).length : 0;
}

function votes(card: QuestionCard, max: number): string {
  const lines = card.votes.map(
    (vote) =>
      `•  ${inline(vote.person, 60)}: ${inline(labelOf(card, vote.choice), 80)}, ${localTime(vote.at)}${filledIn(vote.answers)}${because(vote.reason)}`,
  );
  return linesUpTo([`*Votes so far* (${card.votes.length})`, ...lines], max);
}

function filledIn(answers: FormAnswers | undefined): string {
  return answers === undefined ? '' : ` (${inline(answersText(answers), 300)})`;
}

function because(reason: string | undefined): string {
  return reason === undefined ? '' : `: “${inline(reason, 200)}”`;
}

function labelOf(card: QuestionCard, choice: string): string {
  return card.choices.find((one) => one.id === choice)?.label ?? choice;
}

function ending(card: QuestionCard, buttons: readonly StoredButton[]): KnownBlock[] {
  const { status, level } = card;
  if (status.state === 'open') {
    const next = level.next === undefined ? 'Nobody is asked after that.' : `Next: ${inline(level.next, 60)}.`;
    return [
      ...rows(card, buttons),
      context([`Asked now: *${inline(level.group, 60)}* until ${localTime(level.until)}. ${next}`]),
      ...(level.people === undefined ? [] : [context([answerersText(level, level.people)])]),
      context([
        `If nobody answers${card.deadline === undefined ? '' : ` until ${localTime(card.deadline)}`}: ${inline(card.onSilence, 300)}`,
      ]),
    ];
  }
  return [section(outcomeOf(card, status)), ...afterSilence(card)];
}

/** What was contained outlasts the question: whoever comes too late for the card still decides on that. */
function afterSilence({ status, contained: held, incident }: QuestionCard): KnownBlock[] {
  if (status.state !== 'expired' || held.length === 0) return [];
  const id = shortIncidentId(incident.id, incident.cluster);
  const [extend, release] = [code(`/firebreak extend ${id}`, 200), code(`/firebreak release ${id} REASON`, 200)];
  return [context([`What is contained can still be decided on: ${extend} or ${release}.`])];
}

/** Who may answer now, and who may not although they would be asked. */
function answerersText({ requesters = [], next }: QuestionCard['level'], people: readonly string[]): string {
  const shown = people.slice(0, namedPeople).map((name) => `*${inline(name, 60)}*`);
  const more = people.length > namedPeople ? ` and ${people.length - namedPeople} more` : '';
  const who =
    people.length > 0
      ? `May answer now: ${shown.join(', ')}${more}.`
      : `⚠️ *Nobody may answer now*${next === undefined ? '' : `, and nobody of ${inline(next, 60)} either`}: it waits for a shift or a stand-in, until its time is over.`;
  const ordered = requesters.map(({ name, alone }) =>
    alone
      ? `${inline(name, 60)} has ordered this, and nobody else can be asked: one answer of theirs counts, before everybody’s eyes.`
      : `${inline(name, 60)} has ordered this, and lets the others answer.`,
  );
  return linesUpTo([who, ...ordered], 900);
}

/** Who has decided is shown by what they have signed. */
const notShown = 'people whose signatures this desk cannot check';

export function outcomeOf(card: QuestionCard, status: Exclude<QuestionCard['status'], { readonly state: 'open' }>): string {
  if (status.state === 'decided') {
    const by = status.by.length === 0 ? notShown : linesUpTo([status.by.map((person) => inline(person, 60)).join(', ')], 600);
    return `✅ *Decided: ${inline(labelOf(card, status.choice), 100)}*\nby ${by}, ${localTime(status.at)}`;
  }
  if (status.state === 'expired') return `⌛ *No answer in time*, ${localTime(status.at)}\n${inline(card.onSilence, 300)}`;
  return `🚫 *No longer to be decided*, ${localTime(status.at)}\n${inline(status.why, 300)}`;
}

function notification(card: QuestionCard): string {
  const { status } = card;
  const state =
    status.state === 'open'
      ? `decide by ${utc(card.level.until)}`
      : status.state === 'decided'
        ? `decided: ${plain(labelOf(card, status.choice), 60)} (${plain(status.by.join(', ') || notShown, 80)}), ${utc(status.at)}`
        : status.state === 'expired'
          ? `no answer in time, ${utc(status.at)}`
          : `no longer to be decided, ${utc(status.at)}`;
  const light = `${severityIcons[card.incident.severity]} ${card.incident.severity.toUpperCase()}`;
  return `${light}: ${plain(card.incident.title, 100)}: ${state}. ${plain(card.text, 160)}`;
}

const words: Readonly<Record<Verdict, string>> = {
  true_positive: 'true positive',
  suspicious: 'suspicious',
  benign: 'benign',
  unknown: 'not judged',
};
const order: readonly Verdict[] = ['true_positive', 'suspicious', 'benign', 'unknown'];

/** What became of incidents that looked like this one. Ids of the same cluster are written as people type them. */
function similarText({ by, days, total, more, verdicts, latest }: Similar, cluster: string, max: number): string {
  const counts = order.flatMap((verdict) => (verdicts[verdict] ? [`${verdicts[verdict]} ${words[verdict]}`] : []));
  const lines = latest.map(
    ({ id, at, verdict }) => `•  ${code(shortIncidentId(id, cluster), 160)}, ${localTime(at)}: ${words[verdict]}`,
  );
  const number = more ? `more than ${total}` : String(total);
  return linesUpTo(
    [`*Similar incidents* (same rule and ${by}, ${days} days): ${number}, of which ${counts.join(', ')}`, ...lines],
    max,
  );
}
