import type { InputBlock, KnownBlock, ModalView, PlainTextOption } from '@slack/types';
import type { QuestionCard } from '../../../core/cards/card.ts';
import { ownQuestionOf, targetNameOf } from '../../../core/cards/card-group.ts';
import { weakeningText } from '../../../core/cards/card-words.ts';
import { actOf } from '../../../core/cards/choice-label.ts';
import { isGuarded, nameToType } from '../../../core/cards/guarded-choice.ts';
import { typedEnd } from '../../../core/decide/approval.ts';
import { wholeTargetText } from '../../../core/text/plain-text.ts';
import { problemOfReason } from '../../../core/text/reason.ts';
import { context, section, slackLimits, words } from './blocks.ts';
import { targetBlock } from './decision-view.ts';
import { type FormResult, reasonBlock, reasonInput, selectInput } from './order-inputs.ts';
import { chunks, code, inline, linesUpTo, plain } from './text.ts';

const choiceBlock = 'fb_choice';
const ticksBlock = 'fb_targets';
/** Slack accepts ten checkboxes per block. */
const boxesPerBlock = 10;
const mostPlanSections = 12;

type Choice = QuestionCard['choices'][number];

/** The decision from a dialog: the choice, and for which targets. */
export interface FilledGroup {
  readonly choice: string;
  /** Positions in the dialog's list. */
  readonly picked: readonly number[];
  readonly reason?: string;
}

const why = 'Signed with each of your answers, shown on the card, and kept on the record.';

const choiceIn = (card: QuestionCard, id: string): Choice | undefined => card.choices.find((choice) => choice.id === id);

/** One answer to all of them. */
export function allView({
  cards,
  choice,
  modalId,
}: {
  readonly cards: readonly QuestionCard[];
  readonly choice: Choice;
  readonly modalId: string;
}): ModalView {
  const [first] = cards;
  const typed = first && typedFor([first], choice.id, cards.length);
  const warning = choice.destructive ? '⚠️ *This cannot be undone.*' : `⚠️ *${weakeningText(choice)}*`;
  const people = Math.max(...cards.map((card) => choiceIn(card, choice.id)?.quorum ?? 1));
  const needs = people > 1 ? ` It needs up to ${people} people each; yours is one of them.` : '';
  return {
    type: 'modal',
    callback_id: 'fb_group_all',
    private_metadata: modalId,
    title: words('Confirm your decision', 24),
    submit: words(`${actOf(choice, 14)}: all ${cards.length}`, 24),
    close: words('Go back', 24),
    blocks: [
      section(`*${inline(choice.label, 200)}*, for all ${cards.length} of these targets\n${inline(first?.text ?? '', 600)}`),
      section(`${warning}${needs} Each target is an answer of its own, signed for its own plan.`),
      ...plansOf(cards, [choice.id]),
      about(cards),
      { type: 'divider' },
      ...(typed === undefined
        ? []
        : [
            typeInput(`Last four characters of ${typed.name}, a space, and the number ${cards.length}`, {
              hint: `That many would be ended at once. The first of them: ${wholeTargetText(typed.target)}`,
            }),
          ]),
      reasonInput('Why?', why),
    ],
  };
}

/** The list of questions with a checkbox for each, and one answer to all that are ticked. Nothing is selected beforehand. */
export function chooseView({ cards, modalId }: { readonly cards: readonly QuestionCard[]; readonly modalId: string }): ModalView {
  const [first] = cards;
  const choices = first?.choices ?? [];
  const options = choices.map(
    ({ label, destructive }, index): PlainTextOption => ({
      text: words(destructive ? `⚠️ ${label}` : label, slackLimits.button),
      value: String(index),
    }),
  );
  return {
    type: 'modal',
    callback_id: 'fb_group_choose',
    private_metadata: modalId,
    title: words('Choose targets', 24),
    submit: words('Answer for the ticked', 24),
    close: words('Go back', 24),
    blocks: [
      section(`${inline(first?.text ?? '', 600)}\nEach target is an answer of its own, signed for its own plan.`),
      selectInput({ id: choiceBlock, label: 'Your answer', options, chosen: -1 }),
      ...ticks(cards),
      ...(choices.some(({ destructive }) => destructive)
        ? [
            typeInput(
              'Where it cannot be undone: last four characters of the first target that you tick, a space, and how many',
              {
                hint: 'For example, x2x8 3. Leave it empty for other answers.',
                optional: true,
              },
            ),
          ]
        : []),
      { ...reasonInput('Why?', `Needed where it cannot be undone or weakens the response. ${why}`), optional: true },
      { type: 'divider' },
      ...plansOf(
        cards,
        choices.map(({ id }) => id),
      ),
      about(cards),
    ],
  };
}

function about([card]: readonly QuestionCard[]): KnownBlock {
  const { severity = 'unknown', cluster = '' } = card?.incident ?? {};
  return context([
    inline(severity.toUpperCase(), 20),
    `image ${code(card?.happened.image ?? '', 200)}`,
    `cluster ${code(cluster, 60)}`,
  ]);
}

/** What would run, target by target. */
function plansOf(cards: readonly QuestionCard[], ids: readonly string[]): KnownBlock[] {
  const lines = cards.flatMap((card, index) => [
    `*${index + 1}.* ${code(targetNameOf(card), 160)}`,
    ...(cards[0] && ownQuestionOf(card, cards[0]) !== undefined ? [`*${inline(card.text, 600)}*`] : []),
    ...ids.flatMap((id) => {
      const choice = choiceIn(card, id);
      if (!choice || (choice.changes.length === 0 && ids.length > 1)) return [];
      const changes = choice.changes.map((change) => inline(change, 160)).join('; ') || 'Changes nothing.';
      const touches = choice.blastRadius.length === 0 ? '' : `; touches ${choice.blastRadius.length}`;
      const notes = choice.notes.map((note) => `; _${inline(note, 120)}_`).join('');
      const label = ids.length > 1 ? `${inline(choice.label, 60)}: ` : '';
      return [linesUpTo([`•  ${label}${changes}${touches}${notes}`], 1_500)];
    }),
  ]);
  const parts = chunks(lines.join('\n'));
  const left = parts.length - mostPlanSections;
  const more =
    left > 0 ? [section(`… and more. The menu of a target, and \`/firebreak show\`, show the whole plan of each.`)] : [];
  return [...parts.slice(0, mostPlanSections).map(section), ...more];
}

function ticks(cards: readonly QuestionCard[]): InputBlock[] {
  const options = cards.map((card, index): PlainTextOption => {
    const name = targetNameOf(card);
    // The end of a name is more informative than its beginning.
    const short = name.length > 68 ? `…${name.slice(-66)}` : name;
    return { text: words(`${index + 1}. ${short}`, slackLimits.button), value: String(index) };
  });
  const blocks: InputBlock[] = [];
  for (let start = 0; start < options.length; start += boxesPerBlock) {
    const part = options.slice(start, start + boxesPerBlock);
    blocks.push({
      type: 'input',
      block_id: `${ticksBlock}${start / boxesPerBlock}`,
      optional: true,
      label: words(start === 0 ? 'For which of them?' : `${start + 1} to ${start + part.length}`, 100),
      element: { type: 'checkboxes', action_id: 'fb_ticks', options: part },
    });
  }
  return blocks;
}

function typeInput(label: string, { hint, optional }: { readonly hint: string; readonly optional?: true }): InputBlock {
  return {
    type: 'input',
    block_id: targetBlock,
    label: words(label, 400),
    hint: words(hint, 400),
    ...(optional && { optional }),
    element: { type: 'plain_text_input', action_id: 'fb_text', max_length: 40 },
  };
}

/** The text to type if something is terminated; undefined if nothing is. */
function typedFor(
  picked: readonly QuestionCard[],
  id: string,
  count: number,
): { readonly name: string; readonly target: string; readonly text: string } | undefined {
  const [first] = picked;
  const choice = first && choiceIn(first, id);
  const name = choice && nameToType(first, choice);
  if (name === undefined) return undefined;
  return { name, target: choice?.target ?? name, text: `${typedEnd(name)} ${count}` };
}

/** Reads what was filled in, limited to what the dialog showed: `choice` is set if it was opened for one choice. */
export function groupIn(
  typed: Readonly<Record<string, string>>,
  cards: readonly QuestionCard[],
  choice: string | undefined,
): FormResult<FilledGroup> {
  const all = cards.map((_, index) => index);
  const picked = choice === undefined ? ticked(typed, all) : all;
  const id = choice ?? cards[0]?.choices[Number.parseInt(typed[choiceBlock] ?? '', 10)]?.id;
  const errors: Record<string, string> = {};
  if (picked.length === 0) errors[`${ticksBlock}0`] = 'Tick at least one of them.';
  if (id === undefined) errors[choiceBlock] = 'Choose an answer.';
  const chosen = picked.flatMap((place) => cards[place] ?? []);
  const isGuardedCard = id !== undefined && chosen.some((card) => isGuardedIn(card, id));
  const wanted = id === undefined ? undefined : typedFor(chosen, id, chosen.length);
  const given = (typed[targetBlock] ?? '').toLowerCase().replaceAll(/\s+/g, ' ');
  if (wanted && given !== wanted.text)
    errors[targetBlock] = `Type the last four characters of ${plain(wanted.name, 120)}, a space, and how many: ${chosen.length}.`;
  const reason = typed[reasonBlock] ?? '';
  const unreasoned = isGuardedCard || reason !== '' ? problemOfReason(reason) : undefined;
  if (unreasoned !== undefined) errors[reasonBlock] = unreasoned;
  if (id === undefined || Object.keys(errors).length > 0) return { ok: false, errors };
  return { ok: true, filled: { choice: id, picked, ...(reason === '' ? {} : { reason }) } };
}

function isGuardedIn(card: QuestionCard, id: string): boolean {
  const choice = choiceIn(card, id);
  return choice !== undefined && isGuarded(choice);
}

function ticked(typed: Readonly<Record<string, string>>, all: readonly number[]): readonly number[] {
  const values = Object.entries(typed).flatMap(([block, text]) => (block.startsWith(ticksBlock) ? text.split(',') : []));
  return all.filter((place) => values.includes(String(place)));
}
