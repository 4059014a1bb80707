import type { InputBlock, KnownBlock, ModalView } from '@slack/types';
import type { QuestionCard, StoredButton } from '../../../core/cards/card.ts';
import { placeOf, weakeningText } from '../../../core/cards/card-words.ts';
import { actOf } from '../../../core/cards/choice-label.ts';
import { filledChoice, isGuarded, nameToType } from '../../../core/cards/guarded-choice.ts';
import { answersText, askedFor, type FormAnswers } from '../../../core/decide/form.ts';
import { wholeTargetText } from '../../../core/text/plain-text.ts';
import { context, section, words } from './blocks.ts';
import { reasonBlock, reasonInput, selectInput } from './order-inputs.ts';
import { code, inline, linesUpTo, plain } from './text.ts';

type Choice = QuestionCard['choices'][number];

/** What a dialog shows of the question, whether it has a card or not. */
type DecidedOn = Pick<QuestionCard, 'text' | 'incident' | 'votes'>;

export const targetBlock = 'fb_target';
const whyHint = 'Signed with your answer, shown on the card, and kept on the record.';

/** https://docs.slack.dev/reference/views/modal-views: title, submit and close 24 characters. */
export function decisionView({
  card,
  choice,
  modalId,
  reason,
}: {
  readonly card: DecidedOn;
  readonly choice: Choice;
  readonly modalId: string;
  /** Text that was typed already. */
  readonly reason?: string | undefined;
}): ModalView {
  const name = nameToType(card, choice);
  return {
    type: 'modal',
    callback_id: 'fb_decision',
    private_metadata: modalId,
    title: words('Confirm your decision', 24),
    submit: words(submitText(card, choice), 24),
    close: words('Go back', 24),
    blocks: [
      ...what(card, choice),
      ...(name === undefined ? [] : [targetInput(name, choice)]),
      ...formInputs(choice),
      { ...reasonInput('Why?', whyHint, reason), ...(!isGuarded(choice) && { optional: true }) },
    ],
  };
}

/** Named after the act; a vote that does not decide yet is called one. */
function submitText({ votes }: DecidedOn, choice: Choice): string {
  const others = votes.filter((vote) => vote.choice === choice.id).length;
  if (others + 1 >= choice.quorum) return actOf(choice, 24);
  const act = actOf(choice, 24 - votesFor.length);
  return `${votesFor}${act.charAt(0).toLowerCase()}${act.slice(1)}`;
}

const votesFor = 'Vote to ';

function what(card: DecidedOn, choice: Choice): KnownBlock[] {
  const changes = choice.changes.map((change) => `•  ${inline(change, 300)}`);
  const touched = choice.blastRadius.map((target) => `•  ${code(target, 300)}`);
  const weakens = choice.weakens ? `⚠️ *${weakeningText(choice)}*` : '';
  const warning = choice.destructive ? '⚠️ *This cannot be undone.*' : weakens;
  const agreedBefore = card.votes.filter((vote) => vote.choice === choice.id).length;
  const place =
    agreedBefore === 0 ? 'you are the first' : agreedBefore + 1 < choice.quorum ? 'yours is one more' : 'yours decides';
  const people = choice.quorum > 1 ? ` It needs ${choice.quorum} people; ${place}.` : '';
  const others = card.votes
    .filter((vote) => vote.choice === choice.id)
    .map(({ person, answers }) => inline(answers ? `${person} (${answersText(answers)})` : person, 300));
  const agreed = others.length === 0 ? '' : ` So far: ${others.join(', ')}.`;
  return [
    section(`*${inline(choice.label, 200)}*\n${inline(card.text, 600)}`),
    ...(warning + people + agreed === '' ? [] : [section(`${warning}${people}${agreed}`)]),
    section(linesUpTo(['*What it does*', ...(changes.length === 0 ? ['Changes nothing.'] : changes)], 2_900)),
    ...(touched.length === 0 ? [] : [section(linesUpTo([`*What it touches* (${touched.length})`, ...touched], 2_900))]),
    ...(choice.notes.length === 0
      ? []
      : [section(linesUpTo(['*Note*', ...choice.notes.map((note) => `•  ${inline(note, 300)}`)], 2_900))]),
    context([
      inline(card.incident.severity.toUpperCase(), 20),
      inline(placeOf(card.incident), 200),
      `cluster ${code(card.incident.cluster, 60)}`,
    ]),
    { type: 'divider' },
  ];
}

function targetInput(name: string, { target }: Choice): KnownBlock {
  return {
    type: 'input',
    block_id: targetBlock,
    label: words(`Last four characters of ${name}`, 300),
    ...(target === undefined ? {} : { hint: words(`Read them off the target: ${wholeTargetText(target)}`, 400) }),
    element: { type: 'plain_text_input', action_id: 'fb_text', min_length: 1, max_length: 40, focus_on_load: true },
  };
}

/** A field's place in the dialog. */
function formBlock(name: string): string {
  return `fb_form_${name}`;
}

/** Up to this many people are shown as checkboxes; more are typed. */
const mostBoxes = 10;

function formInputs({ form = {} }: Choice): InputBlock[] {
  return Object.entries(form).map(([name, of]) => {
    const { label, hint } = of;
    const id = formBlock(name);
    if (of.kind === 'choice') {
      const options = Object.entries(of.options).map(([value, text]) => ({ text: words(text, 75), value }));
      return selectInput({ id, label, options, chosen: -1, ...(hint !== undefined && { hint }) });
    }
    if (of.kind === 'people' && of.people && of.people.length > 0 && of.people.length <= mostBoxes)
      return {
        type: 'input',
        block_id: id,
        label: words(label, 100),
        ...(hint !== undefined && { hint: words(hint, 150) }),
        element: {
          type: 'checkboxes',
          action_id: 'fb_pick',
          options: of.people.map((person) => ({ text: words(person.name, 75), value: person.id })),
        },
      };
    return {
      type: 'input',
      block_id: id,
      label: words(label, 100),
      hint: words(hint ?? `Enter ${askedFor(of)}.`, 150),
      element: { type: 'plain_text_input', action_id: 'fb_text', multiline: of.kind === 'text', max_length: 3_000 },
    };
  });
}

export type Filled =
  | { readonly ok: true; readonly reason?: string; readonly answers?: FormAnswers }
  /** Errors by block: shown in the dialog, which stays open. */
  | { readonly ok: false; readonly errors: Readonly<Record<string, string>> };

/** Validates what was typed into the dialog. */
export function filledIn(
  typed: Readonly<Record<string, string>>,
  card: Parameters<typeof filledChoice>[1],
  choice: Choice,
): Filled {
  const given = { reason: typed[reasonBlock] ?? '', target: typed[targetBlock], field: (name: string) => typed[formBlock(name)] };
  const filled = filledChoice(given, card, choice);
  if (filled.ok) return filled;
  const blockOf = (field: string): string => {
    if (field === 'reason') return reasonBlock;
    return field === 'target' ? targetBlock : formBlock(field.slice('form.'.length));
  };
  return { ok: false, errors: Object.fromEntries(filled.problems.map(({ field, text }) => [blockOf(field), plain(text, 300)])) };
}

/** For a button whose card this desk has not stored because an older version posted it. The dialog asks for everything. */
export function unseenCard(button: StoredButton): { readonly card: QuestionCard; readonly choice: Choice } {
  const choice: Choice = {
    id: button.choice,
    label: button.label,
    quorum: 1,
    destructive: true,
    weakens: false,
    changes: ['What the card says: it was posted before Firebreak was upgraded.'],
    blastRadius: [],
    notes: [],
  };
  const unknown = { group: 'nobody', until: '', number: 0 };
  const card: QuestionCard = {
    incident: {
      ...button.incident,
      title: button.incident.id,
      severity: 'unknown',
      cluster: button.incident.id.split('/')[1] ?? '',
    },
    questionId: button.question,
    questionDigest: button.questionDigest,
    text: 'Read the card again before you decide.',
    happened: { rule: '', sensor: '', at: '', count: 0 },
    contained: [],
    evidence: [],
    choices: [choice],
    votes: [],
    onSilence: '',
    level: unknown,
    status: { state: 'open' },
  };
  return { card, choice };
}
