import type { ActionsBlock, Button, KnownBlock, Overflow, PlainTextOption } from '@slack/types';
import type { MenuEntry, QuestionCard, StoredButton } from '../../../core/cards/card.ts';
import { type GroupButton, targetNameOf } from '../../../core/cards/card-group.ts';
import { isGuarded } from '../../../core/cards/guarded-choice.ts';
import { context, section, slackLimits, words } from './blocks.ts';
import { safeUrl } from './link.ts';
import { choiceTitle, outcomeOf, type RenderedMessage, severityIcons } from './render.ts';
import { code, inline, linesUpTo, localTime, plain, preformatted, utc } from './text.ts';

/** Targets with a menu of their own; further ones are lines, and what fits no more is counted. */
const withMenu = [10, 6, 3, 1, 0] as const;
const commandLines = 2;
const exampleChanges = 4;
/** Slack takes five entries a menu. */
const menuTitles: readonly (readonly [MenuEntry, string])[] = [
  [':details', 'Details and timeline'],
  [':extend', 'Extend the containment'],
  [':snooze', 'Ask me again in 15 minutes'],
  [':comment', 'Comment'],
  [':suppress', 'False positive: suppress …'],
];

/** One of the questions on a group's card, with the buttons that are its own. */
export interface GroupTarget {
  readonly card: QuestionCard;
  readonly buttons: readonly StoredButton[];
  readonly threadUrl?: string;
}

type Choice = QuestionCard['choices'][number];

/** The questions that can still be answered; at least the first where none can. */
function openOf(targets: readonly GroupTarget[]): readonly GroupTarget[] {
  return targets.filter(({ card }) => card.status.state === 'open');
}

/** Several questions of the same playbook, rule and image as one card. `targets` holds at least two; `buttons` are the group's own. */
export function groupBlocks(targets: readonly GroupTarget[], buttons: readonly GroupButton[]): RenderedMessage {
  const text = notification(targets);
  for (const menus of withMenu) {
    const blocks = blocksWith({ targets, buttons, menus });
    if (JSON.stringify(blocks).length <= slackLimits.message || menus === 0) return { text, blocks };
  }
  throw new TypeError('unreachable');
}

function blocksWith(card: {
  readonly targets: readonly GroupTarget[];
  readonly buttons: readonly GroupButton[];
  readonly menus: number;
}): KnownBlock[] {
  const { targets, buttons, menus } = card;
  const open = openOf(targets);
  const ordered = [...open, ...targets.filter((target) => !open.includes(target))];
  const [first] = ordered;
  if (!first) return [];
  const { incident, text } = first.card;
  const head = `${targets.length} targets, one question: ${text}`;
  return [
    context([
      `${severityIcons[incident.severity]} *${incident.severity.toUpperCase()}*`,
      `${targets.length} targets, ${open.length} to be decided`,
      `cluster ${code(incident.cluster, 60)}`,
    ]),
    { type: 'header', text: words(head, slackLimits.header) },
    section(happened(targets)),
    { type: 'divider' },
    ...first.card.choices.slice(0, 20).map((choice, index) => section(choiceText(choice, index + 1, first.card, open.length))),
    { type: 'divider' },
    ...ordered.slice(0, menus).map((target, index) => withOwnMenu(target, index + 1)),
    ...rest(ordered.slice(menus), menus),
    ...(open.length === 0 ? [section('*Nothing is left to be decided here.*')] : asking(first.card, open, buttons)),
  ];
}

function happened(targets: readonly GroupTarget[]): string {
  const cards = targets.map(({ card }) => card);
  const [first] = cards;
  if (!first) return '–';
  const { rule, sensor, image = '', signature } = first.happened;
  const novelty = cards.find((card) => card.happened.novelty !== undefined)?.happened.novelty;
  const alerts = cards.reduce((sum, card) => sum + card.happened.count, 0);
  const since = cards.map(({ happened: { at } }) => at).sort()[0] ?? first.happened.at;
  const kept = cards.filter(({ evidence }) => evidence.length > 0).length;
  const contained = cards.filter((card) => card.contained.length > 0).length;
  const ran = [...new Set(cards.flatMap(({ happened: { commandLine } }) => commandLine ?? []))];
  return [
    `*What happened*\n${code(rule, 200)} (${inline(sensor, 40)}), ${alerts} times on ${cards.length} targets since ${localTime(since)}`,
    ...(novelty === undefined ? [] : [inline(novelty, 300)]),
    `Image ${code(image, 250)}`,
    ...(signature === undefined ? [] : [`Image: ${inline(signature, 200)}`]),
    ...ran.slice(0, commandLines).map((line) => preformatted(line, 350)),
    ...(ran.length > commandLines ? [`… and ${ran.length - commandLines} other command lines`] : []),
    `*Contained* ${contained} of ${cards.length}  ·  *Evidence kept* of ${kept} of ${cards.length}`,
  ].join('\n');
}

/** The plan of one, as an example: the dialogs show that of each. */
function choiceText(choice: Choice, number: number, { happened: of, incident }: QuestionCard, open: number): string {
  if (choice.changes.length === 0) return linesUpTo([choiceTitle(choice, number), 'Changes nothing.'], 400);
  const name = code((of.pod ?? incident.title).split('/').at(-1) ?? '', 120);
  const others = open > 1 ? `, and likewise for ${open - 1} more: “Choose …” shows the plan of each` : '';
  const changes = choice.changes.slice(0, exampleChanges).map((change) => `•  ${inline(change, 200)}`);
  const more = choice.changes.length > exampleChanges ? [`•  … and ${choice.changes.length - exampleChanges} more`] : [];
  return linesUpTo([choiceTitle(choice, number), ...changes, ...more, `for ${name}${others}`], 1_200);
}

function targetText({ card, threadUrl }: GroupTarget, number: number): string {
  const title = `*${number}.* ${code(targetNameOf(card), 160)}`;
  const link = threadUrl === undefined ? '' : `  ·  <${safeUrl(threadUrl)}|its thread>`;
  return linesUpTo([`${title}${link}`, stateText(card)], 700);
}

function stateText(card: QuestionCard): string {
  if (card.status.state !== 'open') return outcomeOf(card, card.status).replaceAll('\n', ', ');
  const { group, until } = card.level;
  const held = card.contained[0] ? inline(card.contained[0].what, 140) : 'not contained';
  const labels = card.votes.map(({ person, choice }) => {
    const label = card.choices.find(({ id }) => id === choice)?.label ?? choice;
    return `${inline(person, 40)}: ${inline(label, 40)}`;
  });
  const said = labels.length === 0 ? '' : `  ·  ${linesUpTo([labels.join(', ')], 200)}`;
  return `${held}  ·  asked: ${inline(group, 40)} until ${localTime(until)}${said}`;
}

function withOwnMenu(target: GroupTarget, number: number): KnownBlock {
  const text = { type: 'mrkdwn' as const, text: targetText(target, number), verbatim: true };
  const accessory = menuOf(target);
  return { type: 'section', text, ...(accessory && { accessory }) };
}

function menuOf({ card, buttons }: GroupTarget): Overflow | undefined {
  if (card.status.state !== 'open') return undefined;
  const isHeld = card.contained.some(({ until }) => until !== undefined);
  const options = menuTitles.flatMap(([entry, title]): PlainTextOption[] => {
    const value = buttons.find(({ choice }) => choice === entry)?.buttonId;
    if (value === undefined || (entry === ':extend' && !isHeld)) return [];
    return [{ text: words(title, slackLimits.button), value }];
  });
  return options.length === 0 ? undefined : { type: 'overflow', action_id: 'fb_more', options };
}

/** One line each, of which as many as fit. */
function rest(targets: readonly GroupTarget[], before: number): KnownBlock[] {
  if (targets.length === 0) return [];
  const lines = targets.map(({ card }, index) => {
    const { status } = card;
    const state = status.state === 'open' ? `open until ${utc(card.level.until)}` : plain(stateWord(card), 60);
    return `${before + index + 1}. ${code(targetNameOf(card), 100)}: ${state}`;
  });
  return [section(linesUpTo(lines, 2_000))];
}

function stateWord({ status, choices }: QuestionCard): string {
  if (status.state !== 'decided') return status.state === 'expired' ? 'no answer in time' : 'no longer to be decided';
  return `decided: ${choices.find(({ id }) => id === status.choice)?.label ?? status.choice}`;
}

function asking(card: QuestionCard, open: readonly GroupTarget[], buttons: readonly GroupButton[]): KnownBlock[] {
  const { level, onSilence } = soonest(open) ?? card;
  const next = level.next === undefined ? 'Nobody is asked after that.' : `Next: ${inline(level.next, 60)}.`;
  return [
    ...row(card, open.length, buttons),
    context([`Asked now: *${inline(level.group, 60)}*, the first until ${localTime(level.until)}. ${next}`]),
    context([`Each target has its own question and its own votes. Where nobody answers: ${inline(onSilence, 300)}`]),
  ];
}

/** In the choices' own order, always; then the list to choose from. */
function row(card: QuestionCard, open: number, buttons: readonly GroupButton[]): ActionsBlock[] {
  const ofChoice = (id: string | undefined) => buttons.find(({ choice }) => choice === id)?.buttonId;
  const elements = card.choices.flatMap((choice, index): Button[] => {
    const value = ofChoice(choice.id);
    if (value === undefined) return [];
    const id = `${isGuarded(choice) ? 'fb_decide_all' : 'fb_vote_all'}${index}`;
    const text = words(
      open === 1 ? `${plainLabel(choice)} (the last one)` : `${plainLabel(choice)} (all ${open})`,
      slackLimits.button,
    );
    return [{ type: 'button', action_id: id, value, text, ...(choice.destructive ? { style: 'danger' as const } : {}) }];
  });
  const list = ofChoice(undefined);
  if (list !== undefined) elements.push({ type: 'button', action_id: 'fb_choose', value: list, text: words('Choose …', 75) });
  const rows: ActionsBlock[] = [];
  for (let start = 0; start < elements.length; start += slackLimits.buttonsPerRow)
    rows.push({ type: 'actions', elements: elements.slice(start, start + slackLimits.buttonsPerRow) });
  return rows;
}

/** Room is left for how many it is about. */
function plainLabel({ label }: Choice): string {
  return label.length > 55 ? `${label.slice(0, 54)}…` : label;
}

function soonest(open: readonly GroupTarget[]): QuestionCard | undefined {
  const cards = open.map(({ card }) => card);
  return cards.sort((one, other) => Date.parse(one.level.until) - Date.parse(other.level.until))[0];
}

function notification(targets: readonly GroupTarget[]): string {
  const open = openOf(targets);
  const card = soonest(open) ?? targets[0]?.card;
  if (!card) return '–';
  const { severity } = card.incident;
  const state = open.length === 0 ? 'all settled' : `${open.length} to decide, the first by ${utc(card.level.until)}`;
  const what = `${targets.length} targets, image ${plain(card.happened.image ?? '', 100)}`;
  return `${severityIcons[severity]} ${severity.toUpperCase()}: ${what}: ${state}. ${plain(card.text, 160)}`;
}
