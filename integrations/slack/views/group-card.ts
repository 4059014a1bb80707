import type { ActionsBlock, Button, KnownBlock, Overflow, PlainTextOption } from '@slack/types';
import { ruleText } from '../../../core/alert/what-ran.ts';
import type { MenuEntry, QuestionCard, StoredButton } from '../../../core/cards/card.ts';
import { type GroupButton, ownQuestionOf, targetNameOf } from '../../../core/cards/card-group.ts';
import { alertsText, endedText, signedText, surenessOf } from '../../../core/cards/card-words.ts';
import { needsDialog } from '../../../core/cards/guarded-choice.ts';
import { lastPart } from '../../../core/text/object-name.ts';
import { context, section, slackLimits, words } from './blocks.ts';
import { safeUrl } from './link.ts';
import { askedText, choiceText, labelOf, oneLine, outcomeOf, type RenderedMessage, sensorText, severityIcons } from './render.ts';
import { clock, code, inline, linesUpTo, plain, utcClock } from './text.ts';

/** Number of targets with their own menu; the others are lines, and those that do not fit are counted. */
const withMenu = [10, 6, 3, 1, 0] as const;
const commandLines = 2;
/** Slack accepts five entries per menu. */
const menuTitles: readonly (readonly [MenuEntry, string])[] = [
  [':details', 'Details'],
  [':extend', 'Extend containment'],
  [':snooze', 'Remind me in 15 minutes'],
  [':comment', 'Comment'],
  [':suppress', 'False alarm: suppress …'],
];

/** One of the questions on a group's card, with its own buttons. */
export interface GroupTarget {
  readonly card: QuestionCard;
  readonly buttons: readonly StoredButton[];
  readonly threadUrl?: string;
}

type Choice = QuestionCard['choices'][number];
type NameOf = (card: QuestionCard) => string;
/** The question of a target that asks more than is said once for all. */
type OwnQuestion = (card: QuestionCard) => string | undefined;

/** The questions that can still be answered; the first one if none can. */
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
  const [first = targets[0]] = open;
  if (!first) return [];
  const own = (card: QuestionCard): string | undefined =>
    card.status.state === 'open' ? ownQuestionOf(card, first.card) : undefined;
  // Whatever asks more than is said once comes first: nothing of it may be cut off.
  const ordered = [
    ...open.filter(({ card }) => own(card) !== undefined),
    ...open.filter(({ card }) => own(card) === undefined),
    ...targets.filter((target) => !open.includes(target)),
  ];
  const { incident, text } = first.card;
  const state = open.length === 0 ? 'all settled' : `${open.length} undecided`;
  const namespace = namespaceOf(targets);
  const names = (card: QuestionCard): string => (namespace === undefined ? targetNameOf(card) : lastPart(targetNameOf(card)));
  return [
    context([
      `${severityIcons[incident.severity]} *${incident.severity.toUpperCase()}*`,
      inline(incident.cluster, 40),
      `${targets.length} targets${namespace === undefined ? '' : ` in ${inline(namespace, 80)}`}, ${state}`,
    ]),
    section(happened(targets)),
    section(
      [
        `*${inline(text, 600)}* (asked for each)`,
        ...(open.length === 0 ? [] : first.card.choices.slice(0, 20).map((choice) => choiceText(choice, []))),
      ].join('\n'),
    ),
    ...ordered.slice(0, menus).map((target) => withOwnMenu(target, names, own)),
    ...rest(ordered.slice(menus), names, own),
    ...(open.length === 0 ? [] : asking(first.card, open, buttons)),
  ];
}

/** What happened to all of them, stated once. */
function happened(targets: readonly GroupTarget[]): string {
  const cards = targets.map(({ card }) => card);
  const [first] = cards;
  if (!first) return '–';
  const { rule, sensor, image, process } = first.happened;
  const novelty = cards.find((card) => card.happened.novelty !== undefined)?.happened.novelty;
  const alerts = sumOf([...alertsByIncident(cards).values()]);
  const since = cards.map(({ happened: { at } }) => at).sort()[0] ?? first.happened.at;
  const contained = cards.filter((card) => heldOn(card) !== undefined).length;
  const over = cards.filter((card) => heldOn(card) === undefined).flatMap((card) => endedOn(card) ?? []);
  const gone = over.filter(({ how }) => how === 'gone').length;
  const released = over.filter(({ how }) => how === 'released').length;
  const ran = [...new Set(cards.flatMap(({ happened: { commandLine } }) => commandLine?.trim() || []))];
  const signed = signedText(first.happened);
  const title = process === undefined ? ruleText(rule) : `${lastPart(process)} ran in ${cards.length} targets`;
  return [
    `*${inline(title, 200)}*`,
    ...ran.slice(0, commandLines).map((line) => code(line, oneLine)),
    ...(ran.length > commandLines ? [`… and ${ran.length - commandLines} other command lines`] : []),
    ...(process === undefined ? [] : [inline(`${sensorText(sensor)}: ${ruleText(rule)}`, 100)]),
    ...(novelty === undefined ? [] : [inline(novelty, 160)]),
    [
      ...(image === undefined ? [] : [`image ${inline(lastPart(image), 60)}`]),
      ...(signed === undefined ? [] : [signed]),
      `${alertsText({ count: alerts })} ${clock(since)}`,
    ].join(' · '),
    [
      `${contained === 0 ? '' : '⛔ '}${contained} of ${cards.length} contained`,
      ...(released === 0 ? [] : [`${released} released`]),
      ...(gone === 0 ? [] : [`${gone} no longer ${gone === 1 ? 'exists' : 'exist'}`]),
    ].join(', '),
  ].join('\n');
}

/** A card counts the alerts of its whole incident, and two targets may belong to the same. */
function alertsByIncident(cards: readonly QuestionCard[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { incident, happened } of cards) {
    const key = `${incident.id}@${incident.run}`;
    counts.set(key, Math.max(counts.get(key) ?? 0, happened.count));
  }
  return counts;
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

/** A card lists what is in force in its whole incident: another pod's quarantine does not contain this one. */
function isOn({ happened: { pod } }: QuestionCard, { target }: { readonly target: string }): boolean {
  return pod === undefined || !target.startsWith('pod/') || target === `pod/${pod}`;
}

function heldOn(card: QuestionCard): QuestionCard['contained'][number] | undefined {
  return card.contained.find((held) => isOn(card, held));
}

function endedOn(card: QuestionCard): NonNullable<QuestionCard['ended']>[number] | undefined {
  return card.ended?.findLast((one) => isOn(card, one));
}

/** The namespace, if all targets share one, as they mostly do: then it is shown once. */
function namespaceOf(targets: readonly GroupTarget[]): string | undefined {
  const [first, ...others] = [...new Set(targets.map(({ card }) => targetNameOf(card).split('/').slice(0, -1).join('/')))];
  return others.length === 0 && first !== '' ? first : undefined;
}

function targetText({ card, threadUrl }: GroupTarget, names: NameOf, own: OwnQuestion): string {
  const link = threadUrl === undefined ? '' : ` · <${safeUrl(threadUrl)}|thread>`;
  return `• *${inline(names(card), 120)}*: ${stateText(card)}${link}${ownText(own(card))}`;
}

function ownText(question: string | undefined): string {
  return question === undefined ? '' : `\n*${inline(question, 600)}*`;
}

/** What differs between the targets: the state of each, and anything not common to all. */
function stateText(card: QuestionCard): string {
  const held = heldOn(card);
  const over = endedOn(card);
  const holds = held ? surenessOf(held) : over ? endedText({ ...over, target: 'it' }) : 'not contained';
  if (card.status.state !== 'open') return `${outcomeOf(card, card.status).replaceAll('\n', '; ')}; ${lowered(holds)}`;
  const said = card.votes.map(({ person, choice }) => inline(`${labelOf(card, choice)} (${person})`, 80));
  const stands = said.length === 0 ? 'undecided' : linesUpTo([said.join(', ')], 200);
  return `${stands}; ${lowered(holds)}`;
}

function lowered(text: string): string {
  return `${text.charAt(0).toLowerCase()}${text.slice(1)}`;
}

function withOwnMenu(target: GroupTarget, names: NameOf, own: OwnQuestion): KnownBlock {
  const text = { type: 'mrkdwn' as const, text: targetText(target, names, own), verbatim: true };
  const accessory = menuOf(target);
  return { type: 'section', expand: true, text, ...(accessory && { accessory }) };
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

/** One line per target, as many as fit. */
function rest(targets: readonly GroupTarget[], names: NameOf, own: OwnQuestion): KnownBlock[] {
  if (targets.length === 0) return [];
  const lines = targets.map(({ card }) => `• ${inline(names(card), 100)}: ${inline(stateWord(card), 60)}${ownText(own(card))}`);
  return [section(linesUpTo(lines, 2_000))];
}

function stateWord(card: QuestionCard): string {
  const { status } = card;
  if (status.state === 'open') return `undecided until ${utcClock(card.level.until)}`;
  if (status.state !== 'decided') return status.state === 'expired' ? 'no answer' : 'closed';
  return labelOf(card, status.choice);
}

function asking(card: QuestionCard, open: readonly GroupTarget[], buttons: readonly GroupButton[]): KnownBlock[] {
  const { level, deadline, onSilence } = soonest(open) ?? card;
  return [
    ...row(card, open.length, buttons),
    context([
      `${askedText({ level, ...(deadline !== undefined && { deadline }), onSilence })}\nEach target has its own answers.`,
    ]),
  ];
}

/** Always in the choices' own order; then the list to choose from. */
function row(card: QuestionCard, open: number, buttons: readonly GroupButton[]): ActionsBlock[] {
  const ofChoice = (id: string | undefined) => buttons.find(({ choice }) => choice === id)?.buttonId;
  const elements = card.choices.flatMap((choice, index): Button[] => {
    const value = ofChoice(choice.id);
    if (value === undefined) return [];
    const id = `${needsDialog(choice) ? 'fb_decide_all' : 'fb_vote_all'}${index}`;
    const text = words(`${plainLabel(choice)} (${open === 1 ? 'the last one' : `all ${open}`})`, slackLimits.button);
    return [{ type: 'button', action_id: id, value, text, ...(choice.destructive ? { style: 'danger' as const } : {}) }];
  });
  const list = ofChoice(undefined);
  if (list !== undefined) elements.push({ type: 'button', action_id: 'fb_choose', value: list, text: words('Choose …', 75) });
  const rows: ActionsBlock[] = [];
  for (let start = 0; start < elements.length; start += slackLimits.buttonsPerRow)
    rows.push({ type: 'actions', elements: elements.slice(start, start + slackLimits.buttonsPerRow) });
  return rows;
}

/** Leaves room for the number of targets. */
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
  const { severity, cluster } = card.incident;
  const state = open.length === 0 ? 'all settled' : `${open.length} undecided`;
  const by = open.length === 0 ? '' : ` Answer by ${utcClock(card.level.until)}.`;
  return `${severityIcons[severity]} ${plain(cluster, 40)} ${targets.length} targets, ${state}: ${plain(card.text, 160)}${by}`;
}
