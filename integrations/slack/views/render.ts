import type { KnownBlock } from '@slack/types';
import type { Severity } from '../../../core/alert/severity.ts';
import { ruleText } from '../../../core/alert/what-ran.ts';
import type { QuestionCard, StoredButton } from '../../../core/cards/card.ts';
import {
  alertsText,
  effectText,
  ended,
  endedText,
  happenedText,
  hasOwnFacts,
  heldText,
  leftText,
  mattersText,
  needsText,
  nextText,
  notHeld,
  placeOf,
  signedText,
  similarText,
  surenessOf,
} from '../../../core/cards/card-words.ts';
import { answersText } from '../../../core/decide/form.ts';
import { shortIncidentId, subjectOfIncident } from '../../../core/incident/incident.ts';
import { context, section, slackLimits } from './blocks.ts';
import { rows } from './buttons.ts';
import { safeUrl } from './link.ts';
import { clock, code, inline, linesUpTo, mentions, phoneLines, plain, utcClock } from './text.ts';

/** Each of these gets a line; every choice gets its button. */
const describedChoices = 20;
/** Monospace characters that a phone shows on one line; the details show everything. */
export const oneLine = 45;
/** Maximum lines of a card: the first screen of a phone at 390 px. Anything that does not fit is behind Details. */
const mostLines = 18;
/** Maximum terms of a proposal shown on the card; its dialog shows all. */
const shownTerms = 8;
/** Maximum effects in force shown on the card; the details show all. */
const shownEffects = 2;

export const severityIcons: Readonly<Record<Severity, string>> = {
  critical: '🔴',
  high: '🟠',
  medium: '🟡',
  low: '🔵',
  info: '⚪',
  unknown: '⚪',
};
const endIcons = { decided: '✅', expired: '⌛', void: '🚫' } as const;

type Choice = QuestionCard['choices'][number];
type Ended = Exclude<QuestionCard['status'], { readonly state: 'open' }>;

export interface RenderedMessage {
  /** Text of the phone's notification: contains target, question and deadline. */
  readonly text: string;
  readonly blocks: KnownBlock[];
}

/** What is left in the channel of a card that has gone into the thread of further questions. */
export function movedBlocks({ incident }: Pick<QuestionCard, 'incident'>): RenderedMessage {
  const text = `${incident.severity.toUpperCase()}: ${plain(incident.title, 120)}: moved to the thread of further questions, where it can be answered. A more severe question has its place.`;
  return { text, blocks: [section(text)] };
}

/**
 * Renders the card that the on-call decides by, on the first screen of a phone. Pure. `buttons` are those stored for the question; one is shown for each
 * choice, in the choices' order, while the question is open. All texts of the card are treated as attacker-controlled. The rest is behind Details: see
 * `detailsView`.
 */
export function questionBlocks(
  card: QuestionCard,
  { buttons, threadUrl }: { readonly buttons: readonly StoredButton[]; readonly threadUrl?: string },
): RenderedMessage {
  for (const scale of [1, 0.5, 0.2]) {
    const blocks = blocksAt({ card, buttons, threadUrl, scale });
    if (JSON.stringify(blocks).length <= slackLimits.message || scale === 0.2) return { text: notification(card), blocks };
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
  const { status, text } = card;
  const size = (characters: number): number => Math.max(40, Math.floor(characters * scale));
  if (status.state !== 'open')
    return [
      head(card, threadUrl),
      section([`*${inline(text, size(300))}*`, outcomeOf(card, status), ...heldLines(card)].join('\n')),
      ...afterSilence(card),
      ...rows(card, buttons),
    ];
  const question = [`*${inline(text, size(600))}*`, ...choiceLines(card)].join('\n');
  const who = [context([askedText(card)]), ...warnings(card)];
  // The head and the row of buttons take one line each.
  const room = mostLines - 2 - phoneLines(question) - phoneLines(askedText(card));
  return [head(card, threadUrl), section(what(card, size, room)), section(question), ...rows(card, buttons), ...who];
}

function head({ incident, status }: QuestionCard, threadUrl: string | undefined): KnownBlock {
  const { severity, cluster } = incident;
  const word = status.state === 'open' ? severity.toUpperCase() : ended[status.state];
  const icon = status.state === 'open' ? severityIcons[severity] : endIcons[status.state];
  return context([
    `${icon} *${word}*`,
    inline(cluster, 40),
    inline(placeOf(incident), 80),
    ...(threadUrl === undefined ? [] : [`<${safeUrl(threadUrl)}|thread>`]),
  ]);
}

/** Who ran what, where; why it matters; what is contained, and how certain that is. */
function what(card: QuestionCard, size: (characters: number) => number, room: number): string {
  const { happened, incident, left, similar, ticketNews } = card;
  const isIncident = subjectOfIncident(incident.id) !== undefined;
  const command = happened.commandLine?.trim();
  const hasFacts = hasOwnFacts(happened);
  const signed = signedText(happened);
  const matters = mattersText(happened);
  const facts = [
    ...(happened.count > 0 ? [`${alertsText(happened)} ${clock(happened.at)}`] : []),
    ...(signed === undefined ? [] : [signed]),
  ];
  const around = [...(left ? [leftText(left)] : []), ...(similar ? [similarText(similar)] : [])];
  const line = (isThere: unknown, text: () => string): readonly string[] => (isThere ? [text()] : []);
  const always = [
    `*${inline(happenedText(card), size(200))}*`,
    ...line(happened.doubt, () => `⚠️ *In doubt*: ${inline(happened.doubt ?? '', size(120))}`),
    ...line(happened.wouldHave, () => `*${inline(happened.wouldHave ?? '', size(160))}*`),
    // A proposal has no separate details, so its terms and its reason are shown here.
    ...(isIncident ? heldLines(card) : termLines(card, size)),
  ];
  // If there is no room, the first ones are dropped first.
  const ifRoom = [
    ...line(ticketNews, () => `Ticket: ${inline(ticketNews ?? '', size(100))}`),
    ...line(around.length > 0, () => inline(around.join(' · '), 200)),
    ...line(facts.length > 0, () => facts.join(' · ')),
    ...line(happened.reasons?.length, () => `Why: ${inline(happened.reasons?.join('; ') ?? '', size(200))}`),
    ...line(happened.reasons === undefined && happened.novelty, () => inline(happened.novelty ?? '', size(160))),
    ...line(hasFacts, () => inline(`${sensorText(happened.sensor)}: ${ruleText(happened.rule)}`, size(100))),
    ...line(matters, () => matters ?? ''),
    ...line(command, () => code(command ?? '', oneLine)),
  ];
  let spare = room - phoneLines(always.join('\n'));
  const fits = ifRoom.toReversed().filter((one) => {
    spare -= phoneLines(one);
    return spare >= 0;
  });
  const [title = '', ...rest] = always;
  return [title, ...fits, ...rest].join('\n');
}

function termLines({ choices }: QuestionCard, size: (characters: number) => number): readonly string[] {
  const notes = [...new Set(choices.flatMap((choice) => choice.notes))];
  return notes.slice(0, shownTerms).map((note) => inline(`${note.charAt(0).toUpperCase()}${note.slice(1)}`, size(300)));
}

export function sensorText(sensor: string): string {
  return `${sensor.charAt(0).toUpperCase()}${sensor.slice(1)}`;
}

/** What is in force and, once nothing is, how it ended. Only the last line of a list gives the number of remaining entries. */
function heldLines(card: QuestionCard): readonly string[] {
  const { contained, happened, status, ended: over = [] } = card;
  if (contained.length === 0 && over.length > 0) return endedLines(over);
  if (contained.length === 0) return status.state === 'open' ? [notHeld] : [];
  const lines = contained.slice(0, shownEffects).map((held) => {
    const until = held.until === undefined ? 'until somebody ends it' : `until ${clock(held.until, held.since)}`;
    return `⛔ ${inline(heldText(held, happened.pod), 160)} ${until}: ${surenessOf(held)}`;
  });
  const more = contained.length - lines.length;
  return [...lines, ...(more > 0 ? [`… and ${more} more in force`] : []), ...endedLines(over)];
}

function endedLines(all: NonNullable<QuestionCard['ended']>): readonly string[] {
  const shown = all.slice(-shownEffects);
  const lines = shown.map((one) => `${one.how === 'drifted' ? '⚠️' : '✅'} ${inline(endedText(one), 160)}, ${clock(one.at)}`);
  return all.length > shown.length ? [...lines, `… and ${all.length - shown.length} more ended`] : lines;
}

function choiceLines(card: QuestionCard): readonly string[] {
  const lines = card.choices.slice(0, describedChoices).map((choice) => choiceText(choice, card.votes));
  const more = card.choices.length - lines.length;
  const all = more > 0 ? [...lines, `… and ${more} more answers`] : lines;
  return [linesUpTo([...all, ...reasonLines(card)], 2_300)];
}

/** What each person gave as their reason; of those who did not answer as it was decided, also their answer. */
function reasonLines({ votes, choices, status }: QuestionCard): readonly string[] {
  const decided = status.state === 'decided' ? status.choice : undefined;
  return votes.flatMap(({ person, choice, reason }) => {
    if (reason === undefined) return [];
    const label = choices.find(({ id }) => id === choice)?.label ?? choice;
    const other = decided === undefined || choice === decided ? '' : ` (for ${inline(label, 60)})`;
    return [`${inline(person, 60)}${other}: “${inline(reason, 200)}”`];
  });
}

/** What the choice does, how many people it needs, and its effect, on one line. */
export function choiceText(choice: Choice, votes: QuestionCard['votes']): string {
  const mark = choice.destructive ? '⚠️ ' : '';
  return `• *${inline(choice.label, 100)}*: ${inline(needsText(choice, votes), 200)}, ${mark}${effectText(choice)}`;
}

/** Who is asked, until when, and what silence means. */
export function askedText({ level, deadline, onSilence }: Pick<QuestionCard, 'level' | 'deadline' | 'onSilence'>): string {
  // The last level ends with the question: one time, not two.
  const isLast = level.next === undefined && deadline !== undefined;
  const by = deadline === undefined ? '' : isLast ? ' by then' : ` by ${clock(deadline)}`;
  const called = mentions(level.accounts ?? []);
  const who = `*${inline(level.group, 60)}*${called === '' ? '' : ` (${called})`}`;
  return `${who} until ${clock(isLast ? deadline : level.until)}, ${inline(nextText(level), 80)}\nNo answer${by}: ${inline(onSilence, 300)}`;
}

/** What the people asked must know about who may answer. Their names are behind Details. */
function warnings({ level: { people, requesters = [], next } }: QuestionCard): KnownBlock[] {
  const nobody =
    people?.length === 0
      ? [
          `⚠️ *Nobody may answer now*${next === undefined ? '' : `, nor may anybody of ${inline(next, 60)}`}. It waits for the next shift or a stand-in.`,
        ]
      : [];
  const lines = [...nobody, ...requesters.map(requesterText)];
  return lines.length === 0 ? [] : [context([linesUpTo(lines, 900)])];
}

function requesterText({ name, alone }: NonNullable<QuestionCard['level']['requesters']>[number]): string {
  return alone
    ? `${inline(name, 60)} ordered this, and nobody else can be asked. One answer of theirs counts, and all can see it.`
    : `${inline(name, 60)} ordered this, so others must answer.`;
}

export function labelOf(card: QuestionCard, choice: string): string {
  return card.choices.find((one) => one.id === choice)?.label ?? choice;
}

/** Containment outlasts the question: a person who is too late for the card can still decide about it. */
function afterSilence({ status, contained: held, incident }: QuestionCard): KnownBlock[] {
  if (status.state !== 'expired' || held.length === 0) return [];
  const id = shortIncidentId(incident.id, incident.cluster);
  return [context([`To end it: ${code(`/firebreak release ${id} REASON`, 200)}`])];
}

/** The people who decided are shown based on their signatures. */
const notShown = 'people whose signatures this desk cannot check';

export function outcomeOf(card: QuestionCard, status: Ended): string {
  const at = clock(status.at);
  if (status.state === 'decided') {
    const by = status.by.length === 0 ? notShown : linesUpTo([status.by.map((person) => inline(person, 60)).join(', ')], 600);
    const reasons = reasonLines(card);
    const why = reasons.length === 0 ? '' : `\n${linesUpTo(reasons, 1_200)}`;
    const filled = card.votes.find(({ choice, answers }) => choice === status.choice && answers !== undefined)?.answers;
    const said = filled === undefined ? '' : ` (${inline(answersText(filled), 300)})`;
    return `*${inline(labelOf(card, status.choice), 100)}*${said}: decided by ${by}, ${at}${why}`;
  }
  // What silence means is no longer true of what has ended since.
  const isOver = card.contained.length === 0 && (card.ended ?? []).length > 0;
  if (status.state === 'expired') return `Nobody answered by ${at}.${isOver ? '' : ` ${inline(card.onSilence, 300)}`}`;
  return `No longer asked since ${at}: ${inline(status.why, 300)}`;
}

/** The first line on a locked phone: where, what and until when, in this order. */
function notification(card: QuestionCard): string {
  const { status, incident } = card;
  const icon = status.state === 'open' ? severityIcons[incident.severity] : endIcons[status.state];
  const where = `${icon} ${plain(incident.cluster, 40)} ${plain(placeOf(incident), 80)}`;
  const text = plain(card.text, 160);
  switch (status.state) {
    case 'open':
      return `${where}: ${text} Answer by ${utcClock(card.level.until)}.`;
    case 'decided':
      return `${where}: ${plain(labelOf(card, status.choice), 60)}, decided by ${plain(status.by.join(', ') || notShown, 80)}. ${text}`;
    case 'expired':
      return `${where}: nobody answered by ${utcClock(status.at)}. ${text}`;
    case 'void':
      return `${where}: no longer asked. ${text}`;
  }
}
