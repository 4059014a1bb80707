import type { KnownBlock, ModalView } from '@slack/types';
import type { QuestionCard } from '../../../core/cards/card.ts';
import { context, section, words } from './blocks.ts';
import { chunks, code, inline, linesUpTo } from './text.ts';

export const commentBlock = 'fb_comment';
const longestComment = 1_000;
/** A modal holds 100 blocks. */
const mostSections = 40;
const mostChoices = 20;

/** The whole of it, to be read: nothing is decided here. `mrkdwn` is escaped already. */
export function detailsView(card: QuestionCard, mrkdwn: string): ModalView {
  const { incident } = card;
  return {
    type: 'modal',
    title: words('Incident', 24),
    close: words('Close', 24),
    blocks: [
      context([inline(incident.title, 200), `cluster ${code(incident.cluster, 60)}`]),
      ...chunks(mrkdwn).slice(0, mostSections).map(section),
      { type: 'divider' },
      ...card.choices.slice(0, mostChoices).map(planSection),
    ],
  };
}

/** What each choice would do, whole. */
function planSection({ label, changes, blastRadius, notes }: QuestionCard['choices'][number]): KnownBlock {
  const lines = [
    `*If “${inline(label, 100)}”*`,
    ...(changes.length === 0 ? ['Changes nothing.'] : changes.map((change) => `•  ${inline(change, 300)}`)),
    ...blastRadius.map((target) => `Touches ${code(target, 300)}`),
    ...notes.map((note) => `_Note:_ ${inline(note, 300)}`),
  ];
  return section(linesUpTo(lines, 2_900));
}

export function commentView(card: QuestionCard, modalId: string): ModalView {
  return {
    type: 'modal',
    callback_id: 'fb_comment',
    private_metadata: modalId,
    title: words('Comment', 24),
    submit: words('Send', 24),
    close: words('Go back', 24),
    blocks: [
      section(inline(card.text, 600)),
      {
        type: 'input',
        block_id: commentBlock,
        label: words('What should the others know?', 100),
        hint: words('It goes into the incident’s thread and on the record. It decides nothing.', 150),
        element: {
          type: 'plain_text_input',
          action_id: 'fb_text',
          multiline: true,
          min_length: 1,
          max_length: longestComment,
          focus_on_load: true,
        },
      },
    ],
  };
}
